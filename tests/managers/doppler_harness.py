"""The adapter `doppler` with the real `doppler` program and a server of the tests, for the conformance suite."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from pykamal.secrets.adapters.doppler import Doppler
from pykamal.secrets.adapters.protocol import Adapter
from pykamal.secrets.adapters.tool import SECONDS_VARIABLE
from pykamal.secrets.conformance import Fault, Harness
from tests.managers.faulty_relay import BROKEN, FaultyRelay
from tests.managers.served import Served

BINARIES: Final = Path(__file__).parents[2] / ".cache/managers/bin"


class DopplerServer(Served):
    """The two requests of Doppler's API that the program makes, for one token and one config."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.values: Mapping[str, str] = {}
        server = self

        class Handler(_Handler):
            owner = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    owner: DopplerServer

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = parse_qs(url.query)
        if self.headers.get("Authorization") != f"Bearer {self.owner.token}":
            self._answer(401, {"success": False, "messages": ["Invalid Auth token"]})
        elif url.path == "/v3/me":
            self._answer(200, {"success": True, "workplace": {"name": "test"}, "type": "personal", "slug": "x"})
        elif url.path == "/v3/configs/config/secrets" and (asked["project"], asked["config"]) == (["shop"], ["ci"]):
            names = asked["secrets"][0].split(",")
            found = {name: self.owner.values[name] for name in names if name in self.owner.values}
            entries = {name: {"raw": value, "computed": value} for name, value in found.items()}
            self._answer(200, {"success": True, "secrets": entries})
        else:
            self._answer(404, {"success": False, "messages": ["Could not find requested config"]})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class DopplerHarness(Harness):
    """Secrets of one config, behind a relay that breaks answers."""

    source = "shop/ci"
    not_applicable: ClassVar[Mapping[str, str]] = {
        "missing field": "a name is a secret, which has no fields",
        "order of the answer": "the program sorts names, and its order is kept as in Ruby Kamal (spec/cli.md 16.3)",
        "not UTF-8": "values are JSON, which is text",
    }

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        home: Path = request.getfixturevalue("tmp_path")
        self._token = f"dp.pt.{secrets.token_hex(20)}"
        self._server = DopplerServer(self._token)
        self._relay = FaultyRelay(self._server.port)
        for server in (self._server, self._relay):
            server.__enter__()
            request.addfinalizer(server.__exit__)
        settings = {
            "PATH": f"{BINARIES}:/usr/bin:/bin:{home}",
            "HOME": str(home),
            "DOPPLER_API_HOST": self._relay.address,
            "DOPPLER_ENABLE_VERSION_CHECK": "false",
            "DOPPLER_TOKEN": self._token,
        }
        for name, value in settings.items():
            self._monkeypatch.setenv(name, value)

    def adapter(self) -> Adapter:
        return Doppler()

    def key(self, short: str) -> str:
        return short

    def store(self, values: Mapping[str, str | bytes]) -> None:
        self._server.values = {short: value for short, value in values.items() if isinstance(value, str)}
        self._relay.expect(self._server.values.values())

    def cause(self, fault: Fault) -> None:
        self._monkeypatch.setenv(SECONDS_VARIABLE, "5")
        if fault in BROKEN:
            self._relay.fault = fault
        elif fault is Fault.MISSING_TOOL:
            self._monkeypatch.setenv("PATH", "/nowhere")
        elif fault is Fault.NOT_LOGGED_IN:
            self._monkeypatch.delenv("DOPPLER_TOKEN")
        elif fault is Fault.WRONG_PASSWORD:
            self._token = f"dp.pt.{secrets.token_hex(20)}"
            self._monkeypatch.setenv("DOPPLER_TOKEN", self._token)
        elif fault is Fault.EXPIRED_LOGIN:
            self._server.token = "another"
        else:
            super().cause(fault)

    def credentials(self) -> tuple[str, ...]:
        return (self._token,)

    def requests(self) -> int:
        return self._relay.requests

    def most_requests(self, secrets: int) -> int:
        return 2
