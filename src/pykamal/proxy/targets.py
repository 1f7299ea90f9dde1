"""Targets and target sets with their addresses and states (spec/proxy.md 8 and 10)."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import socket
from collections.abc import Iterable

from pykamal.proxy.errors import ProxyError
from pykamal.proxy.name_server import answering

_PATTERN = re.compile(r"(\w[\w.+-]+)(?::(\d{1,9}))?", re.ASCII)
_numbers = itertools.count(1)
_origin = os.urandom(4).hex()


class Target:
    """One upstream. `id` names its in-flight counter and is never used twice, unlike `name` (`host:port`).

    `address` is the IP address in use, empty while the name resolves to nothing; `is_confirmed` tells that the last
    look-up was answered, `name_server` whom nginx may ask about the name. States: adding, healthy, unhealthy, draining.
    """

    def __init__(self, name: str) -> None:
        """Raises ProxyError when `name` is not `host[:port]`."""
        matched = _PATTERN.fullmatch(name)
        if matched is None:
            raise ProxyError(f"{name} :invalid host pattern")
        self.id = f"{_origin}{next(_numbers)}"
        self.name = name
        self.host = matched[1]
        self.port = int(matched[2] or 80)
        self.address = self.host if _is_address(self.host) else ""
        self.is_literal = bool(self.address)
        self.is_confirmed = self.is_literal
        self.name_server: str | None = None
        self.state = "adding"

    async def resolve(self) -> bool:
        """Looks the name up; true when the address changed. Keeps the old one while the resolver itself is away."""
        if self.is_literal:
            return False
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as problem:
            self.is_confirmed = problem.errno != socket.EAI_AGAIN
            if not self.is_confirmed:
                return False
            found = []
        except UnicodeError:  # no name at all, as `a..b`
            self.is_confirmed = True
            found = []
        else:
            self.is_confirmed = True
        found.sort(key=lambda entry: entry[0] != socket.AF_INET)
        addresses = [str(entry[4][0]) for entry in found]
        address = self.address if self.address in addresses else (addresses or [""])[0]
        changed = address != self.address
        self.address = address
        if address and self.name_server is None:
            self.name_server = await answering(self.host, address)
            changed = changed or bool(self.name_server)
        return changed

    def for_nginx(self) -> dict[str, object]:
        """Return the target for the data plane; `address` is False while there is none."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        known = {"id": self.id, "name": self.name, "address": address or False, "port": self.port}
        return known | {"host": self.host, "name_server": self.name_server} if self.name_server else known


class TargetSet:
    """All targets that one deploy installs."""

    def __init__(self, writers: Iterable[str], readers: Iterable[str] = ()) -> None:
        """Raises ProxyError for a malformed name or when there is no writer."""
        self.writers = [Target(name) for name in writers]
        self.readers = [Target(name) for name in readers]
        if not self.writers:
            raise ProxyError('required flag(s) "target" not set')
        self.checks: list[asyncio.Task[None]] = []
        self.all_healthy = asyncio.Event()

    @property
    def targets(self) -> list[Target]:
        return [*self.writers, *self.readers]

    @property
    def names(self) -> list[str]:
        return [target.name for target in self.targets]

    def set_state(self, target: Target, state: str) -> None:
        """Changes the state of one of these targets, and `all_healthy` with it."""
        target.state = state
        if all(target.state == "healthy" for target in self.targets):
            self.all_healthy.set()
        else:
            self.all_healthy.clear()

    @property
    def ids(self) -> list[list[str]]:
        """A pair of name and id for each target."""
        return [[target.name, target.id] for target in self.targets]

    def adopt_ids(self, known: Iterable[list[str]]) -> None:
        """Takes over the `ids` under which a running data plane already counts these targets."""
        for target, (name, number) in zip(self.targets, known, strict=False):
            if target.name == name:
                target.id = number

    def stop_checks(self) -> None:
        for task in self.checks:
            task.cancel()
        self.checks.clear()

    def for_nginx(self) -> dict[str, object]:
        """The healthy targets."""
        return {
            "writers": [target.for_nginx() for target in self.writers if target.state == "healthy"],
            "readers": [target.for_nginx() for target in self.readers if target.state == "healthy"],
            "has_readers": bool(self.readers),
        }


def _is_address(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True
