"""A client for a Docker engine's HTTP interface on its unix socket."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from pykamal.core.errors import SandboxError

PULL_AND_LOAD_SECONDS = 300.0


class Engine:
    """A Docker engine. `socket_path` may lead through /proc/PID/root into a host's own file system."""

    def __init__(self, socket_path: Path, *, name: str) -> None:
        self.socket_path = socket_path
        self.name = name

    def wait(self, *, timeout_seconds: float = 20.0) -> None:
        """Wait until the engine answers. Raises SandboxError after the time-out."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                self.call("GET", "/_ping")
            except OSError as error:
                if time.monotonic() > deadline:
                    raise SandboxError(f"The engine of {self.name} does not answer: {error}") from error
                time.sleep(0.01)
            else:
                return

    def answers(self) -> bool:
        try:
            self.call("GET", "/_ping")
        except OSError:
            return False
        return True

    def containers(self) -> list[dict[str, Any]]:
        """Return all containers, running or not, as the engine lists them (`Id`, `Names`, `State`, ...)."""
        found: list[dict[str, Any]] = self.call("GET", "/containers/json", {"all": "1"})
        return found

    def images(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/images/json", {"all": "0"})
        return found

    def networks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/networks")
        return found

    def volumes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/volumes")["Volumes"] or []
        return found

    def remove_container(self, identifier: str) -> None:
        self.call("DELETE", f"/containers/{identifier}", {"force": "1", "v": "1"}, accept=(204, 404, 409))

    def remove_image(self, reference: str) -> None:
        self.call("DELETE", f"/images/{quote(reference, safe='')}", {"force": "1"}, accept=(200, 404, 409))

    def remove_network(self, identifier: str) -> None:
        self.call("DELETE", f"/networks/{identifier}", accept=(204, 404))

    def remove_volume(self, name: str) -> None:
        self.call("DELETE", f"/volumes/{quote(name, safe='')}", {"force": "1"}, accept=(204, 404))

    def tag(self, image: str, repository: str, tag: str) -> None:
        self.call("POST", f"/images/{image}/tag", {"repo": repository, "tag": tag}, accept=(201,))

    def push(self, repository: str, tag: str, *, username: str, password: str) -> None:
        """Push an image. Raises SandboxError with what the registry said."""
        login = base64.urlsafe_b64encode(json.dumps({"username": username, "password": password}).encode())
        status, body = self._exchange(
            "POST",
            f"/images/{repository}/push?{urlencode({'tag': tag})}",
            None,
            {"X-Registry-Auth": login.decode()},
            timeout_seconds=PULL_AND_LOAD_SECONDS,
        )
        if status != 200 or b'"error"' in body:
            text = body.decode(errors="replace").strip().splitlines()[-1:]
            raise SandboxError(f"{self.name} cannot push {repository}:{tag}", details=tuple(text))

    def load(self, tar: Path) -> None:
        """Load a docker-archive. Raises SandboxError when the engine refuses it."""
        with tar.open("rb") as content:
            answer = self._exchange(
                "POST",
                "/images/load?quiet=1",
                content,
                {"Content-Type": "application/x-tar", "Content-Length": str(tar.stat().st_size)},
                timeout_seconds=PULL_AND_LOAD_SECONDS,
            )
        if answer[0] != 200 or b'"error"' in answer[1]:
            raise SandboxError(f"{self.name} cannot load {tar}", details=(answer[1].decode(errors="replace"),))

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        accept: tuple[int, ...] = (200,),
        timeout_seconds: float = 60.0,
    ) -> Any:
        """Return the decoded answer. Raises OSError when the engine is away, SandboxError when it refuses."""
        target = path + (f"?{urlencode(query)}" if query else "")
        status, body = self._exchange(method, target, None, {}, timeout_seconds=timeout_seconds)
        if status not in accept:
            text = body.decode(errors="replace").strip()
            raise SandboxError(f"The engine of {self.name} refused {method} {path}: {text}")
        return json.loads(body) if body[:1] in {b"{", b"["} else body.decode()

    def _exchange(
        self,
        method: str,
        target: str,
        body: Iterable[bytes] | None,
        headers: dict[str, str],
        *,
        timeout_seconds: float,
    ) -> tuple[int, bytes]:
        return unix_request(
            self.socket_path, method, target, body=body, headers=headers, timeout_seconds=timeout_seconds
        )


def unix_request(
    path: Path,
    method: str,
    target: str,
    *,
    body: Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float,
) -> tuple[int, bytes]:
    """Send one HTTP request on a unix socket; return status and body. Raises OSError when nothing listens."""
    connection = _UnixConnection(path, timeout_seconds)
    try:
        connection.request(method, target, body=body, headers={"Host": "sandbox", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"no whole answer on {path}: {error!r}") from error
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_seconds: float) -> None:
        super().__init__("sandbox", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
