"""The adapter `vault` and a real OpenBao, for the conformance suite."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from pykamal.secrets.adapters import http
from pykamal.secrets.adapters.protocol import Adapter
from pykamal.secrets.adapters.vault import Vault
from pykamal.secrets.conformance import Fault, Harness
from tests.managers.faulty_relay import BROKEN, FaultyRelay
from tests.managers.openbao import OpenBao


def shorten_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the HTTP of the adapters give up soon."""
    defaults = http.Client.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "limits", http.Limits(connect=2, total=3, back_off=0.01))


class VaultHarness(Harness):
    """Fields of one path of KV version 2, read with a token that may read this path alone."""

    not_applicable: ClassVar[Mapping[str, str]] = {
        "missing tool": "the adapter needs no program and no package",
        "not UTF-8": "values are JSON, which is text",
    }

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._server: OpenBao = request.getfixturevalue("openbao")
        self._monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        home: Path = request.getfixturevalue("tmp_path")
        self._relay = FaultyRelay(self._server.port)
        self._relay.__enter__()
        request.addfinalizer(self._relay.__exit__)
        self._path = f"conform-{secrets.token_hex(4)}"
        self._server.allow_reading(self._path, f"secret/data/{self._path}", f"secret/data/{self._path}-missing")
        self._monkeypatch.setenv("HOME", str(home))
        self._monkeypatch.setenv("VAULT_ADDR", self._relay.address)
        self._use(self._server.create_token(self._path))

    def _use(self, token: str) -> None:
        self._token = token
        self._monkeypatch.setenv("VAULT_TOKEN", token)

    def adapter(self) -> Adapter:
        return Vault()

    def store(self, values: Mapping[str, str | bytes]) -> None:
        texts = {short: value for short, value in values.items() if isinstance(value, str)}
        self._relay.expect(texts.values())
        self._server.call("POST", f"secret/data/{self._path}", {"data": texts})

    def name(self, short: str) -> str:
        return f"secret/{self._path}/{short}"

    def cause(self, fault: Fault) -> None:
        if fault in BROKEN:
            shorten_waiting(self._monkeypatch)
            self._relay.fault = fault
        elif fault is Fault.NOT_LOGGED_IN:
            self._monkeypatch.delenv("VAULT_TOKEN")
        elif fault is Fault.WRONG_PASSWORD:
            self._use(f"wrong-{secrets.token_hex(12)}")
        elif fault is Fault.EXPIRED_LOGIN:
            self._use(self._server.create_token(self._path, ttl="1s"))
            time.sleep(1.2)
        else:
            super().cause(fault)

    def credentials(self) -> tuple[str, ...]:
        return (self._token,)

    def missing_secret(self) -> str:
        return f"secret/{self._path}-missing/one"

    def missing_field(self) -> str:
        return self.name("missing")

    def requests(self) -> int:
        return self._relay.requests

    def most_requests(self, secrets: int) -> int:
        return 2
