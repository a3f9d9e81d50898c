"""The stream keeps what every stream owes a session."""

from sipsimple_whiteboard import WhiteboardStream

from sipsimple.testing.contract import MediaStreamContract


class TestWhiteboardStream(MediaStreamContract):
    stream_class = WhiteboardStream
