"""Adapters for secret managers, one module each, imported on first use.

A package of others adds one by an entry point of the group `pykamal.secrets`, whose name is the value of `--adapter`
and whose object is an `Adapter`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from pykamal.core.errors import KamalError
from pykamal.core.spelling import nearest
from pykamal.secrets.adapters.protocol import Adapter

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

MODULES: Final[Mapping[str, str]] = {
    "1password": "one_password",
    "one_password": "one_password",
    "age": "age",
    "ansible_vault": "ansible_vault",
    "aws": "aws",
    "aws-ssm": "aws_ssm",
    "aws_ssm": "aws_ssm",
    "aws_secrets_manager": "aws_secrets_manager",
    "azure": "azure",
    "azure_key_vault": "azure",
    "bitwarden": "bitwarden",
    "bitwarden-sm": "bitwarden_secrets_manager",
    "bitwarden_secrets_manager": "bitwarden_secrets_manager",
    "doppler": "doppler",
    "enpass": "enpass",
    "env": "environment_variables",
    "exec": "exec",
    "file": "file",
    "gcp": "gcp",
    "gcp_api": "gcp_api",
    "gcp_secret_manager": "gcp",
    "infisical": "infisical",
    "keyring": "keyring",
    "last_pass": "lastpass",
    "lastpass": "lastpass",
    "pass": "password_store",
    "passbolt": "passbolt",
    "sops": "sops",
    "test": "test",
    "vault": "vault",
    "openbao": "vault",
}
"""The values of `--adapter`, in lower case, and the modules that define an `ADAPTER` for them."""

ENTRY_POINTS: Final = "pykamal.secrets"


def adapter(name: str) -> Adapter:
    """Return the adapter with that name, in any case. Raises `KamalError` for an unknown one."""
    module = MODULES.get(name.lower())
    if module is not None:
        return cast("Adapter", importlib.import_module(f"pykamal.secrets.adapters.{module}").ADAPTER)
    others = _others()
    if name.lower() in others:
        return _loaded(others[name.lower()])
    known = (*MODULES, *others)
    near = nearest(name, known)
    meant = f"did you mean {near}? " if near is not None else ""
    raise KamalError(
        f"Unknown secrets adapter: {name}",
        hint=f"{meant}there are {', '.join(known)}; the tools of secret managers "
        "themselves can be called in .kamal/secrets, as in PASSWORD=$(op read op://Vault/Item/password)",
    )


def _others() -> dict[str, EntryPoint]:
    """The adapters that other installed packages bring, by name in lower case. None of them is imported."""
    from importlib.metadata import entry_points  # which takes long, and only an unknown name needs it

    return {each.name.lower(): each for each in entry_points(group=ENTRY_POINTS)}


def _loaded(entry_point: EntryPoint) -> Adapter:
    try:
        found = entry_point.load()
    except Exception as error:  # it is a package of others, in which anything can go wrong
        raise KamalError(
            f"The secrets adapter {entry_point.name} cannot be loaded from {entry_point.value}: {error}",
            hint="the package that brings it is incomplete, or made for another version of pykamal",
        ) from error
    if not callable(getattr(found, "fetch", None)):
        raise KamalError(
            f"The secrets adapter {entry_point.name} has no `fetch`: {entry_point.value}",
            hint="its entry point has to name an object as pykamal.secrets.adapters.protocol.Adapter describes",
        )
    return cast("Adapter", found)
