"""The shared parts of the tests of the AWS adapters: an environment with one server, and fetching."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters import adapter
from pykamal.secrets.adapters.settings import Settings
from tests.managers.aws import REGION


def only_aws(patch: pytest.MonkeyPatch, home: Path, variables: Mapping[str, str]) -> None:
    """Leave the environment nothing of AWS but these variables, and no metadata service."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    for name, value in {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", **variables}.items():
        patch.setenv(name, value)


def at(address: str, *logins: Mapping[str, str], region: str = REGION) -> dict[str, str]:
    """Return the variables that lead to a server with a login."""
    found = {"AWS_ENDPOINT_URL": address, "AWS_REGION": region}
    for login in logins:
        found.update(login)
    return found


def fetch(
    name: str, *names: str, source: str | None = None, account: str | None = None, **declared: str
) -> dict[str, str | None]:
    """Fetch by an adapter that knows of no login of before; `declared` is what deploy.yml says of its provider."""
    made = type(adapter(name))()
    if declared:
        made = made.configured(Settings(made.settings, provider="cloud", declared=declared))  # type: ignore[attr-defined]
    found = made.fetch(names, account=account, source=source)
    return {each: value.reveal() if value is not None else None for each, value in found.items()}


def told(error: KamalError) -> str:
    """Return all that an error says, and what led to it."""
    origins = (repr(error), repr(error.__cause__), repr(error.__context__))
    return "\n".join((error.message, *error.details, error.hint or "", *origins))
