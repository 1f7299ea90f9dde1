"""Acknowledges what a host sent without the kernel's usual wait for something to send along."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

import asyncssh

_TCP_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)  # Linux only


def acknowledge_at_once(connection: asyncssh.SSHClientConnection) -> None:
    """Until more is sent and received; the kernel does not keep to it for good (tcp(7), TCP_QUICKACK).

    sshd turns Nagle's algorithm off only for its first session. Around that moment it holds back small packets until
    the ones before are acknowledged, for which Linux takes its time: 40 ms on each new connection.
    """
    transport = connection.get_extra_info("socket")
    if _TCP_QUICKACK is not None and transport is not None:
        with suppress(OSError):
            transport.setsockopt(socket.IPPROTO_TCP, _TCP_QUICKACK, 1)
