"""The sections about reaching hosts and telling of it: ssh, sshkit, boot, output and pykamal's own."""

from __future__ import annotations

import re
from typing import Final

from pykamal.config.decoding.common_values import number
from pykamal.config.decoding.proxy_extension import proxy_extension
from pykamal.config.decoding.secrets_extension import secrets_extension
from pykamal.config.document import Node
from pykamal.config.models.boot import Boot, Sshkit
from pykamal.config.models.extension import Extension, HostKeyPolicy
from pykamal.config.models.service import Output
from pykamal.config.models.ssh import Ssh
from pykamal.config.node_reading import boolean, child, integer, text, texts

_LAST_PORT: Final = 65535


def ssh(node: Node | None) -> Ssh:
    jump = text(child(node, "proxy"))
    return Ssh(
        user=text(child(node, "user")) or "root",
        port=_port(child(node, "port")),
        proxy=jump_host(jump) if jump else None,
        proxy_command=text(child(node, "proxy_command")),
        log_level=text(child(node, "log_level")) or "fatal",
        keys_only=bool(boolean(child(node, "keys_only"))),
        keys=texts(child(node, "keys")),
        key_data=texts(child(node, "key_data")),
        config=_client_config(child(node, "config")),
        forward_agent=bool(boolean(child(node, "forward_agent"))),
    )


def port_is_usable(node: Node | None) -> bool:
    if node is None:
        return True
    digits = re.fullmatch(r"[0-9]{1,5}", text(node) or "")
    return digits is not None and 0 < int(digits[0]) <= _LAST_PORT


def _port(node: Node | None) -> int:
    """The usual one for what is no port; a warning has said so."""
    return int(text(node) or 22) if port_is_usable(node) else 22


def jump_host(address: str) -> str:
    """`root@` is put in front of an address without a user (spec/config.md 10)."""
    return address if "@" in address else f"root@{address}"


def _client_config(node: Node | None) -> bool | tuple[str, ...] | None:
    if node is None or (flag := boolean(node)) is not None:
        return flag if node is not None else None
    one = text(node)
    return texts(node) if one is None else (one,)


def sshkit(node: Node | None) -> Sshkit:
    return Sshkit(
        max_concurrent_starts=number(child(node, "max_concurrent_starts"), 30),
        pool_idle_timeout=number(child(node, "pool_idle_timeout"), 900),
        dns_retries=number(child(node, "dns_retries"), 3),
    )


def boot(node: Node | None) -> Boot:
    limit = child(node, "limit")
    size = integer(limit)
    return Boot(
        limit=text(limit) if size is None else size,
        wait=integer(child(node, "wait")),
        parallel_roles=bool(boolean(child(node, "parallel_roles"))),
    )


def output(node: Node | None) -> Output:
    return Output(
        file_path=text(child(node, "file", "path")) or None,
        otel_endpoint=text(child(node, "otel", "endpoint")) or None,
    )


def boot_limit_is_usable(limit: int | str | None) -> bool:
    return limit is None or bool(re.fullmatch(r"\s*\d+\s*%?\s*", str(limit)))


def extension(node: Node | None) -> Extension:
    settings = child(node, "ssh")
    policy = text(child(settings, "host_key_policy"))
    return Extension(
        host_key_policy=HostKeyPolicy(policy) if policy else HostKeyPolicy.ACCEPT_NEW,
        known_hosts=text(child(settings, "known_hosts")),
        proxy=proxy_extension(child(node, "proxy")),
        secrets=secrets_extension(child(node, "secrets")),
    )
