"""Libraries that adapters use and that come with extras of pykamal, imported when an adapter runs."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from types import ModuleType

from pykamal.core.errors import DependencyError


def import_extra(module: str, *, extra: str) -> ModuleType:
    """Import and return a module of a library that an extra of pykamal brings.

    Raises `DependencyError` when it is not installed, or when it is and cannot be imported.
    """
    hint = _install(extra)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # The packages of some vendors share a first name, such as `azure`, which may be there without the rest.
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise DependencyError(f"The Python package {error.name} is not installed", hint=hint) from None
        raise _broken(module, error, hint) from error
    except Exception as error:  # the library is one of others, in which anything can go wrong
        raise _broken(module, error, hint) from error


def require_extra(module: str, *, extra: str) -> None:
    """Raise `DependencyError` when a library is not installed. It is not imported."""
    if importlib.util.find_spec(module) is None:
        raise DependencyError(f"The Python package {module} is not installed", hint=_install(extra))


def silence(*loggers: str) -> None:
    """Keep what libraries log off standard error, where Python writes it without a handler."""
    for name in loggers:
        logging.getLogger(name).addHandler(logging.NullHandler())


def _install(extra: str) -> str:
    return f"pip install 'pykamal[{extra}]' where kamal is installed"


def _broken(module: str, error: Exception, hint: str) -> DependencyError:
    return DependencyError(
        f"The Python module {module} cannot be imported: {error}",
        hint=f"it is incomplete, or of a version that does not fit: {hint}",
    )
