"""The application: starts and stops all parts of a user agent, in order and in bounded time.

`application` is what applications use; `states` is the table behind it, `lifecycle` the way through it, `components`
says what is started, `attributes` how attributes are shared by all classes.
"""

from sipsimple.application.application import SIPApplication

__all__ = ["SIPApplication"]
