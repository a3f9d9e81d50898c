"""Storage: where an application's configuration and XCAP documents are kept (STO-001..006).

`interfaces` says what a storage is, `memory` and `files` are the two that there are; `durable` writes files whole or
not at all, `lock` keeps a second process out.
"""

from sipsimple.storage.files import FileStorage, FileXCAPStorage, default_directory
from sipsimple.storage.interfaces import ISIPSimpleStorage, IXCAPStorage, XCAPStorageError
from sipsimple.storage.memory import MemoryStorage, MemoryXCAPStorage

__all__ = [
    "FileStorage",
    "FileXCAPStorage",
    "ISIPSimpleStorage",
    "IXCAPStorage",
    "MemoryStorage",
    "MemoryXCAPStorage",
    "XCAPStorageError",
    "default_directory",
]
