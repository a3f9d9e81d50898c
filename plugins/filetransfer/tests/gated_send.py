"""`sipsimple send`, but the file gives only its first octets: gated_send.py OCTETS ARGUMENTS..."""

from __future__ import annotations

import io
import signal
import sys
import threading
from typing import Any

from sipsimple.cli.main import main
from sipsimple.streams.filetransfer import FileSelector


class Gated(io.FileIO):
    """Reading beyond `gate` octets waits for ever, once `closes` is set."""

    gate = 0
    closes = False

    def read(self, size: int | None = -1, /) -> Any:
        if self.closes:
            left = self.gate - self.tell()
            if left <= 0:
                threading.Event().wait()
            size = min(left, size if size is not None and size >= 0 else left)
        return super().read(size)


def for_file(path: Any, type: Any = None, hash: Any = None) -> FileSelector:
    selector = original(path, type, hash)
    file = Gated(selector.fd.fileno(), "rb", closefd=False)
    file.source = selector.fd  # type: ignore[attr-defined]
    selector.fd = file
    return selector


if __name__ == "__main__":
    from sipsimple.streams.filetransfer.sender import FileSender

    Gated.gate = int(sys.argv[1])
    original = FileSelector.for_file
    FileSelector.for_file = staticmethod(for_file)  # type: ignore[assignment,method-assign]
    start = FileSender.start

    def start_gated(self: FileSender) -> None:
        Gated.closes = True
        start(self)

    FileSender.start = start_gated  # type: ignore[method-assign]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[2:]))
