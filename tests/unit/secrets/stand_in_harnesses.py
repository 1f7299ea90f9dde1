"""Harnesses of the adapters whose programs are stand-ins (tests/unit/secrets/stand_ins.py)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

import pytest

from pykamal.secrets.adapters import adapter
from pykamal.secrets.adapters.protocol import Adapter
from pykamal.secrets.adapters.tool import SECONDS_VARIABLE
from pykamal.secrets.conformance import Fault, Harness
from tests.unit.secrets.stand_ins import StandIns

NO_FIELDS: Final = "a name is a secret, which has no fields"


class StandInHarness(Harness):
    """A manager whose program is a stand-in, alone on the PATH. A name is what the program is asked for."""

    adapter_name: ClassVar[str]
    program: ClassVar[str]
    account: str | None = "me"
    not_applicable: ClassVar[Mapping[str, str]] = {"missing field": NO_FIELDS}
    own_requests: ClassVar[int] = 2
    """How many processes are for the version and the login."""

    secrets_a_process: ClassVar[int] = 1000

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._programs = StandIns(folder)
        self._programs.install()
        self._monkeypatch = monkeypatch
        self._values: dict[str, str] = {}
        monkeypatch.setenv("PATH", str(folder))
        for name in ("DOPPLER_TOKEN", "BW_SESSION"):
            monkeypatch.delenv(name, raising=False)

    def adapter(self) -> Adapter:
        return type(adapter(self.adapter_name))()

    def store(self, values: Mapping[str, str | bytes]) -> None:
        self._values = {
            self.stored_name(short): value if isinstance(value, str) else value.decode(errors="surrogateescape")
            for short, value in values.items()
        }
        self._programs.hold(self._values)

    def stored_name(self, short: str) -> str:
        """Return the name under which the stand-in has a value."""
        return self.name(short)

    def cause(self, fault: Fault) -> None:
        if fault is Fault.MISSING_TOOL:
            (self._programs.folder / self.program).unlink()
        if fault is Fault.NO_ANSWER:
            self._monkeypatch.setenv(SECONDS_VARIABLE, "2")
        logged_in = fault not in (Fault.NOT_LOGGED_IN, Fault.WRONG_PASSWORD)
        self._programs.hold(self._values, logged_in=logged_in, fault=fault)

    def credentials(self) -> tuple[str, ...]:
        return ("refused-hush-7d1f9c", "token-hush")

    def requests(self) -> int:
        return len(self._programs.called())

    def most_requests(self, secrets: int) -> int:
        return self.own_requests + -(-secrets // self.secrets_a_process)


class OnePassword(StandInHarness):
    adapter_name, program = "1password", "op"
    not_applicable: ClassVar[Mapping[str, str]] = {}

    def name(self, short: str) -> str:
        return f"vault/item/{short}"

    def missing_secret(self) -> str:
        return "vault/missing/one"

    def missing_field(self) -> str:
        return "vault/item/missing"


class LastPass(StandInHarness):
    adapter_name, program = "lastpass", "lpass"


class Bitwarden(StandInHarness):
    adapter_name, program, own_requests = "bitwarden", "bw", 3
    not_applicable: ClassVar[Mapping[str, str]] = {}

    def name(self, short: str) -> str:
        return f"item/{short}"

    def missing_secret(self) -> str:
        return "missing/one"

    def missing_field(self) -> str:
        return "item/missing"


class BitwardenSecretsManager(StandInHarness):
    adapter_name, program, secrets_a_process = "bitwarden-sm", "bws", 1


class AwsSecretsManager(StandInHarness):
    adapter_name, program, secrets_a_process = "aws_secrets_manager", "aws", 20
    account = None


class Enpass(StandInHarness):
    adapter_name, program, source, own_requests = "enpass", "enpass-cli", "/vault", 1
    not_applicable: ClassVar[Mapping[str, str]] = {
        "empty value": "items without a password are left out (spec/cli.md 16.3)",
        "missing field": "names that are not found are left out (spec/cli.md 16.3)",
        "missing secret": "names that are not found are left out (spec/cli.md 16.3)",
        "order of the answer": "the answer has the order of the vault (spec/cli.md 16.3)",
    }

    def key(self, short: str) -> str:
        return short


class GoogleSecretManager(StandInHarness):
    adapter_name, program, account, secrets_a_process = "gcp", "gcloud", "default", 1

    def key(self, short: str) -> str:
        return f"default/{short}"


class Passbolt(StandInHarness):
    adapter_name, program = "passbolt", "passbolt"


HARNESSES: Final[Mapping[str, type[StandInHarness]]] = {
    each.adapter_name: each
    for each in (
        OnePassword,
        LastPass,
        Bitwarden,
        BitwardenSecretsManager,
        AwsSecretsManager,
        Enpass,
        GoogleSecretManager,
        Passbolt,
    )
}
