"""Imports asyncssh without what it looks for on import and this tool has no use for.

asyncssh asks the system for shared libraries (which starts `ldconfig` and compilers) and imports X.509, Kerberos,
FIDO and PKCS #11 support if it can. Without them the import takes half the time; keys on tokens work through the agent.
"""

from __future__ import annotations

import ctypes.util
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# asyncssh takes each of these for not installed, which it is prepared for.
_UNUSED: Final = ("asyncssh.crypto.umac", "asyncssh.crypto.x509", "fido2", "gssapi", "pkcs11")


def import_library() -> None:
    """Import asyncssh; takes effect when it is the first to do so in this process."""
    if "asyncssh" in sys.modules:
        return
    with _hidden(_UNUSED), _no_shared_libraries(), _no_collection():
        import asyncssh  # noqa: F401 (imported for sys.modules)


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


@contextmanager
def _no_shared_libraries() -> Iterator[None]:
    find_library = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None  # noqa: ARG005 (the name is part of the signature)
    try:
        yield
    finally:
        ctypes.util.find_library = find_library


@contextmanager
def _no_collection() -> Iterator[None]:
    """Nothing becomes garbage while modules are made, so looking for it costs a fifth of the time in vain."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
