"""Logs in with a key in one round trip instead of three.

A client may ask which methods there are, ask whether a key would do, and then sign. With a key at hand that is for this
host in all likelihood, asking costs two round trips more than it can save, on each host (RFC 4252 sections 5.2 and 7).
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncssh
from asyncssh import auth

from pykamal.transport.host_keys import HostKeyCheck
from pykamal.transport.tcp_quickack import acknowledge_at_once

PASSWORD_ATTEMPTS: Final = 3
METHODS: Final = ("publickey", "keyboard-interactive", "password")

Ask = Callable[[str], Awaitable[str | None]]

_ASKED_FOR_METHODS: Final = b"none"
_PUBLIC_KEY: Final = b"publickey"
_METHODS_KNOWN: Final = "pykamal_methods_known"


class Client(asyncssh.SSHClient):
    """Answers asyncssh's callbacks while it opens a connection."""

    def __init__(self, check: HostKeyCheck, who: str, ask: Ask) -> None:
        self._check = check
        self._who = who
        self._ask = ask
        self._attempts = 0

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn

    def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
        return self._check.trusts_key(key)

    def validate_host_ca_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
        return self._check.trusts_authority(key)

    def begin_auth(self, _username: str) -> None:
        """Begin with a key, if there is one."""
        connection = self._connection
        if connection._client_keys and connection._auth_methods == [_ASKED_FOR_METHODS]:
            connection._auth_methods = [_PUBLIC_KEY]
        else:
            connection.set_extra_info(**{_METHODS_KNOWN: True})

    async def password_auth_requested(self) -> str | None:
        """The user's answer; None when there is nobody to ask, or after `PASSWORD_ATTEMPTS`."""
        return await self._answer("password: ") if self._next_attempt() else None

    def kbdint_auth_requested(self) -> str | None:
        """Let the host choose what it asks, when somebody can answer."""
        return "" if sys.stdin.isatty() and self._next_attempt() else None

    async def kbdint_challenge_received(
        self, _name: str, _instructions: str, _lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        answers = []
        for text, _echoed in prompts:
            answer = await self._answer(text)
            if answer is None:
                return None
            answers.append(answer)
        return answers

    def _next_attempt(self) -> bool:
        self._attempts += 1
        return self._attempts <= PASSWORD_ATTEMPTS

    async def _answer(self, question: str) -> str | None:
        again = f"attempt {self._attempts} of {PASSWORD_ATTEMPTS}, " if self._attempts > 1 else ""
        return await self._ask(f"({again}{self._who}) {question}")

    def auth_completed(self) -> None:
        acknowledge_at_once(self._connection)


class DirectPublicKeyAuth(auth._ClientPublicKeyAuth):
    """Offers each key of this machine together with the signature; asks first only where the agent has to sign.

    The agent may ask its user to confirm a signature or to touch a token, which is not to happen for nothing.
    """

    async def _start(self) -> None:
        pair = await self._conn.public_key_auth_requested()
        if pair is None:
            self._without_keys()
            return
        self._keypair = pair
        if isinstance(pair, asyncssh.SSHAgentKeyPair):
            await self.send_request(_FALSE, _string(pair.algorithm), _string(pair.public_data))
        else:
            await self._send_signed_request()

    def _without_keys(self) -> None:
        """All keys were refused: ask now what was not asked before, for a host may let in without any key."""
        connection = self._conn
        if not connection.get_extra_info(_METHODS_KNOWN):
            connection.set_extra_info(**{_METHODS_KNOWN: True})
            connection._auth_methods[1:1] = [_ASKED_FOR_METHODS]
        connection.try_next_auth(next_method=True)


def _string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


_FALSE: Final = b"\0"

auth._client_auth_handlers[_PUBLIC_KEY] = DirectPublicKeyAuth
