"""Logs in with a key in one round trip instead of three.

A client may ask which methods there are, ask whether a key would do, and then sign. With a key at hand that is for this
host in all likelihood, asking costs two round trips more than it can save, on each host (RFC 4252 sections 5.2 and 7).
"""

from __future__ import annotations

from typing import Final

import asyncssh
from asyncssh import auth

from pykamal.transport.acknowledging import acknowledge_at_once
from pykamal.transport.host_keys import HostKeyCheck

_ASKED_FOR_METHODS: Final = b"none"
_PUBLIC_KEY: Final = b"publickey"
_METHODS_KNOWN: Final = "pykamal_methods_known"


class Client(asyncssh.SSHClient):
    """What asyncssh asks and tells while it opens a connection."""

    def __init__(self, check: HostKeyCheck) -> None:
        self._check = check

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
