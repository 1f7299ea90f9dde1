"""Parses the host strings of deploy.yml."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An address to connect to; `user` and `port` are None where the string names none."""

    name: str
    user: str | None = None
    port: int | None = None


_HOST = re.compile(r"(?:(?P<user>[^@]+)@)?(?:\[(?P<bracketed>[^\]]+)\]|(?P<plain>[^:\[\]]+))(?::(?P<port>[0-9]{1,9}))?")


def parse_host(text: str) -> HostAddress:
    """Parse `HOST`, `USER@HOST`, `HOST:PORT`, `[IPV6]:PORT` or a bare IPv6 address (spec/cli.md 7)."""
    match = _HOST.fullmatch(text)
    if match is None:
        user, at, name = text.rpartition("@")
        return HostAddress(name, user if at else None)
    port = match["port"]
    return HostAddress(match["bracketed"] or match["plain"], match["user"], int(port) if port else None)


def parse_jumps(text: str) -> tuple[HostAddress, ...]:
    """Parse the jump hosts of `ssh.proxy` or ProxyJump, nearest first: `USER@HOST[:PORT][,...]`."""
    return tuple(parse_host(part.strip().removeprefix("ssh://")) for part in text.split(",") if part.strip())
