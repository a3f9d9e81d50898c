"""File transfers in whole sessions over real sockets: an application that calls itself, in its real threads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

TIMEOUT = 30
CONTENT = os.urandom(8_000_000)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("pull", [False, True], ids=["push", "pull"])
def test_a_file(application: Any, tmp_path: Path, transport: str, pull: bool) -> None:
    """FT-001, FT-010: hashed, read, written and verified in the thread pool; then the other way in the same session,
    offered by who was called."""
    from sipsimple.core import SIPURI, ToHeader
    from sipsimple.session import Session
    from sipsimple.streams import FileTransferStream
    from sipsimple.streams.filetransfer import FileSelector
    from sipsimple.util import Route

    recorder, account = application.recorder, application.account
    account.msrp.transport = transport
    account.save()
    path = tmp_path / "file.bin"
    path.write_bytes(CONTENT)

    def prepare(stream: Any, folder: str) -> None:
        if stream.sends:
            stream.file_selector = FileSelector.for_file(path)
        else:
            stream.directory = tmp_path / folder

    def new_stream(folder: str) -> Any:
        stream = FileTransferStream(account, FileSelector("file.bin") if pull else FileSelector.for_file(path))
        stream.directory = tmp_path / folder
        return stream

    def check(streams: list[Any], folder: str) -> None:
        for stream in streams:
            recorder.wait_for("FileTransferStreamDidFinish", stream, TIMEOUT)
        assert (tmp_path / folder / "file.bin").read_bytes() == CONTENT

    session, ours = Session(account), new_stream("first")
    to_header = ToHeader(SIPURI(user="alice", host="127.0.0.1", port=application.sip_port))
    session.connect(to_header, [Route("127.0.0.1", application.sip_port, "udp")], [ours])
    incoming = recorder.wait_for("SIPSessionNewIncoming", timeout=TIMEOUT).sender
    (theirs,) = incoming.proposed_streams
    prepare(theirs, "first")
    incoming.accept([theirs])
    for each in (session, incoming):
        recorder.wait_for("SIPSessionDidStart", each, TIMEOUT)
    check([ours, theirs], "first")
    back = new_stream("second")
    incoming.add_stream(back)
    (proposed,) = recorder.wait_for("SIPSessionGotProposal", session, TIMEOUT, originator="remote").data.streams
    prepare(proposed, "second")
    session.accept_proposal([proposed])
    check([back, proposed], "second")
    session.end()
    for each in (session, incoming):
        recorder.wait_for("SIPSessionDidEnd", each, TIMEOUT)
    assert recorder.find_all("MediaStreamDidFail") == []
