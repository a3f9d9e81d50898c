"""Media streams: the interface, the registry, and the stream classes of the plugins that are installed."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
