"""What the entry point names. It is imported by every application, so what is heavy is imported in the hooks."""

from sipsimple.plugins import hookimpl

sipsimple_plugin_api = 1


@hookimpl
def sipsimple_media_streams():
    from sipsimple_whiteboard.stream import WhiteboardStream

    return [WhiteboardStream]


@hookimpl
def sipsimple_settings():
    from sipsimple_whiteboard.settings import WhiteboardExtension

    return [WhiteboardExtension]


@hookimpl
def sipsimple_commands():
    from sipsimple_whiteboard.command import whiteboard

    return [whiteboard]
