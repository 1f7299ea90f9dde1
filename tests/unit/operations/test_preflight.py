"""The checks before a flow changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.config.models import Accessory, Builder, Credential, Env, Proxy, Registry, Ssl
from pykamal.core.errors import SecretNotFound
from pykamal.operations.execution.preflight import host_check, require_secrets
from pykamal.secrets.store import Secrets
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

WEB = replace(
    role("web", "a", "b"),
    env=Env(secrets=("APP_KEY", "ALIAS:DATABASE_URL")),
    proxy=Proxy(ssl=Ssl("CERTIFICATE", "PRIVATE_KEY")),
)
DATABASE = Accessory(
    "db",
    "app-db",
    "mysql",
    ("c",),
    registry=Registry("private.example", Credential("user"), Credential(secret="DB_REGISTRY")),
    env=Env(secrets=("DB_PASSWORD",)),
)
ALL = ("REGISTRY_PASSWORD", "BUILD_TOKEN", "APP_KEY", "DATABASE_URL", "CERTIFICATE", "PRIVATE_KEY")


def missing(folder: Path, held: Mapping[str, str], *, builds: bool, accessories: bool) -> list[str]:
    """Return the names reported as missing when the secrets file holds these."""
    file = folder / "secrets"
    file.write_text("".join(f"{name}={value}\n" for name, value in held.items()))
    builder = Builder(arches=("amd64",), secrets=("BUILD_TOKEN",))
    run = context(config(WEB, builder=builder, accessories=(DATABASE,)))
    run.secrets = Secrets(str(file), environment={})
    try:
        require_secrets(run, builds=builds, accessories=(DATABASE,) if accessories else ())
    except SecretNotFound as error:
        return [line.split("'")[1] for line in (error.message, *error.details)]
    return []


def test_all_missing_secrets_are_told_at_once(tmp_path: Path) -> None:
    """spec/config.md 1.6: whatever a deploy logs in with, builds with or writes to a host."""
    assert missing(tmp_path, {}, builds=True, accessories=False) == list(ALL)
    assert missing(tmp_path, {}, builds=False, accessories=True) == [
        *(name for name in ALL if name != "BUILD_TOKEN"),
        *("DB_REGISTRY", "DB_PASSWORD"),
    ]


def test_enough_secrets(tmp_path: Path) -> None:
    """Secrets of accessories count only for a setup, those of the build only for a build."""
    held = dict.fromkeys(ALL, "x")
    assert missing(tmp_path, held, builds=True, accessories=False) == []
    del held["BUILD_TOKEN"]
    assert missing(tmp_path, held, builds=False, accessories=False) == []
    assert missing(tmp_path, held, builds=False, accessories=True) == ["DB_REGISTRY", "DB_PASSWORD"]


def test_ports_are_looked_at_where_the_proxy_starts() -> None:
    """A worker's host needs an engine and room; so does every host of a redeploy."""
    run = context(config(role("web", "a"), role("worker", "b")))

    def checks(*, boots_proxy: bool) -> dict[str, list[str]]:
        phase = host_check(run, boots_proxy=boots_proxy)
        return {task.host: [step.name for step in task.script] for task in phase.tasks}

    plain = ["check disks", "check engine"]
    assert checks(boots_proxy=True) == {"a": ["check disks", "check engine and ports"], "b": plain}
    assert checks(boots_proxy=False) == {"a": plain, "b": plain}
