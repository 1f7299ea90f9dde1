"""Adapters for secret managers, one module each, imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final, cast

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.protocol import Adapter

_MODULES: Final[Mapping[str, str]] = {"test": "test"}
"""The values of `--adapter`, in lower case, and the modules that define an `ADAPTER` for them."""


def adapter(name: str) -> Adapter:
    """Return the adapter with that name. Raises `KamalError` for an unknown one."""
    module = _MODULES.get(name.lower())
    if module is None:
        raise KamalError(
            f"Unknown secrets adapter: {name}",
            hint=f"this version knows: {', '.join(_MODULES)}; the tools of secret managers themselves can be called in "
            ".kamal/secrets, as in PASSWORD=$(op read op://Vault/Item/password)",
        )
    return cast("Adapter", importlib.import_module(f"pykamal.secrets.adapters.{module}").ADAPTER)
