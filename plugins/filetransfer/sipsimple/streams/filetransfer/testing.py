"""Two file transfer streams on a memory network, without SIP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sipsimple.core import SDPAttribute
from sipsimple.streams.filetransfer import FileSelector, FileTransferStream
from sipsimple.streams.msrp.testing import StreamPair

PREFIXES = ("MediaStream", "FileTransferStream")


class Transfer(StreamPair):
    """Alice offers a transfer, bob answers.

    :param folder: where it all happens; received files are in its folder `in`
    :param content: of the file that is transferred
    :param pull: alice wishes for the file, and bob has it
    :param stream_class: what bob makes of the offer
    """

    def __init__(
        self,
        folder: Path,
        content: bytes = b"",
        *,
        name: str = "file.bin",
        pull: bool = False,
        selector: FileSelector | None = None,
        **options: Any,
    ) -> None:
        super().__init__(FileTransferStream, **options)
        self.folder = folder
        self.incoming = folder / "in"
        self.content = content
        self.pull = pull
        self.source = folder / name
        self.selector = selector
        if selector is None or pull:
            self.source.write_bytes(content)
        self.prepare: Callable[[Any], None] = lambda stream: None  # of bob's stream, before it is initialized

    @property
    def sender(self) -> Any:
        return self.bob if self.pull else self.alice

    @property
    def receiver(self) -> Any:
        return self.alice if self.pull else self.bob

    def propose(self) -> None:
        alice, bob = self.alice, self.bob
        selector = self.selector
        if selector is None:
            selector = FileSelector(self.source.name) if self.pull else FileSelector.for_file(self.source)
        alice.stream = alice.run(FileTransferStream, alice.account, selector)
        alice.stream.directory = self.incoming
        self.initialize(alice, "outgoing")
        media = alice.run(alice.stream.get_local_media, for_offer=True)
        if self._edit_offer is not None:
            self._edit_offer(media)
        self.offer = alice.describe(media)
        bob.stream = bob.run(FileTransferStream.new_from_sdp, bob.account, self.offer, 0)
        if bob.stream is not None:
            bob.stream.directory = self.incoming
            if self.pull:
                bob.stream.file_selector = FileSelector.for_file(self.source)
            self.prepare(bob.stream)
            self.initialize(bob, "incoming")

    def initialize(self, side: Any, direction: str) -> None:
        side.run(side.stream.initialize, side.session, direction)
        self.network.run_until(
            lambda: side.all("MediaStreamDidInitialize") or side.all("MediaStreamDidFail"), timeout=60
        )

    def begin(self) -> None:
        """All of it, up to the start."""
        self.propose()
        self.accept()
        self.deliver_answer()

    def finish(self, timeout: float = 60) -> Path:
        """Wait until both know that it is done; returns the received file."""
        self.receiver.wait("FileTransferStreamDidFinish", timeout=timeout)
        self.sender.wait("FileTransferStreamDidFinish", timeout=timeout)
        path: Path = self.receiver.stream.file_path
        return path

    def reason(self, side: Any) -> str:
        """Why that side's stream fails."""
        reason: str = side.wait("MediaStreamDidFail", timeout=7200).reason
        return reason

    def run_until_received(self, octets: int) -> None:
        """Until the receiver has so many octets on its disk."""
        self.network.run_until(lambda: self.receiver.stream.transferred_bytes >= octets, timeout=60)

    def files(self) -> list[str]:
        """What the receiver's folder has."""
        return sorted(path.name for path in self.incoming.iterdir()) if self.incoming.exists() else []


def edited(*attributes: tuple[str, str], without: tuple[str, ...] = ()) -> Any:
    """An edit of a media line."""

    def change(media: Any) -> None:
        media.attributes[:] = [a for a in media.attributes if a.name not in (*without, *[a[0] for a in attributes])]
        media.attributes += [SDPAttribute(*attribute) for attribute in attributes]

    return change
