"""Opens SSH connections: the way that the configuration describes, to a host that is trusted, with a key it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncssh

from pykamal.commands.ssh_client import proxy_arguments
from pykamal.config.models import Extension, Ssh
from pykamal.core.errors import AuthenticationRefused, ConnectionFailed, HostUnreachable
from pykamal.core.host_strings import HostAddress, parse_host, parse_jumps
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, Connected, Level
from pykamal.transport.asyncssh_log import LibraryLog
from pykamal.transport.client_config import HostSettings, config_files, settings_for
from pykamal.transport.dialing import Dialer, label_of
from pykamal.transport.host_keys import HostKeyCheck, known_hosts_files
from pykamal.transport.identities import Identities, Keyring, Prompts, agent_socket
from pykamal.transport.login import METHODS, Client
from pykamal.transport.proxy_command import ProxyCommand
from pykamal.transport.ssh_connection import SshSession

LOGIN_SECONDS: Final = 30.0
"""How long key exchange and authentication may take, and a jump host or ProxyCommand before them."""

KEEPALIVE_COUNT: Final = 3

FAST_CIPHERS: Final = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""Put before asyncssh's own order: ChaCha20, which that begins with, costs it five times the processor time."""

TOO_MANY_KEYS: Final = "Too many authentication failures"  # what sshd says after MaxAuthTries


Tunnel = Dialer | ProxyCommand | asyncssh.SSHClientConnection
"""Opens the connection: each has the `create_connection` that asyncssh requires of a tunnel."""


@dataclass(frozen=True, slots=True)
class _Target:
    """One end of a connection: the host or, if `is_jump`, a host on the way to it. `label` is what people call it."""

    label: str
    address: HostAddress
    settings: HostSettings
    is_jump: bool = False

    @property
    def port(self) -> int:
        return self.address.port or self.settings.port or asyncssh.DEFAULT_PORT

    @property
    def user(self) -> str | None:
        return self.address.user or self.settings.user


class Connector:
    """Opens connections with the settings of one configuration. Hosts behind one jump host share its connection."""

    def __init__(
        self,
        ssh: Ssh,
        bus: Bus,
        *,
        extension: Extension,
        dns_retries: int = 3,
        key_data: Sequence[str | Sensitive] = (),
    ) -> None:
        self._ssh = ssh
        self._bus = bus
        self._extension = extension
        self._dns_retries = dns_retries
        self._files = config_files(ssh.config)
        self._prompts = Prompts()
        self._keyring = Keyring(key_data, self._prompts)
        self._log = LibraryLog(ssh.log_level, bus)
        self._proxies: list[ProxyCommand] = []
        self._jumps: dict[tuple[HostAddress, ...], asyncio.Task[asyncssh.SSHClientConnection]] = {}

    async def open(self, host: str) -> SshSession:
        """Connect to a host of deploy.yml. Raises the members of `ConnectionFailed`."""
        started = time.monotonic()
        written = parse_host(host)
        address = HostAddress(written.name, written.user or self._ssh.user, written.port or self._ssh.port)
        target = _Target(host, address, settings_for(address, self._files))
        jumps = parse_jumps(self._ssh.proxy or self._jumps_of(target))
        command = None if jumps else self._ssh.proxy_command or target.settings.proxy_command
        if command:
            tunnel: Tunnel = self._proxy_command(target, command)
        else:
            tunnel = await self._jump(jumps) if jumps else self._dialer(target)
        connection = await self._connect(target, tunnel)
        self._bus.emit(Connected(host=host, seconds=time.monotonic() - started))
        return SshSession(connection, host=host, user=address.user or "", bus=self._bus)

    async def close(self) -> None:
        """Close the connections to jump hosts and the agent, end the proxy commands."""
        for opening in self._jumps.values():
            opening.cancel()
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result().close()
        self._jumps.clear()
        await asyncio.gather(*(proxy.close() for proxy in self._proxies))
        self._proxies.clear()
        self._keyring.close()
        self._log.close()

    # -- tunnels

    def _proxy_command(self, target: _Target, text: str) -> ProxyCommand:
        address = target.settings.address
        proxy = ProxyCommand(
            proxy_arguments(text, host=address, port=target.port, user=target.user or "", name=target.address.name)
        )
        self._proxies.append(proxy)
        return proxy

    def _jumps_of(self, target: _Target) -> str:
        if self._ssh.proxy_command:
            return ""
        jumps = target.settings.jumps
        return "" if jumps is None or jumps.lower() == "none" else jumps

    def _dialer(self, target: _Target) -> Dialer:
        return Dialer(
            target.label,
            self._bus,
            dns_retries=self._dns_retries,
            connect_seconds=target.settings.connect_timeout,
        )

    async def _jump(self, jumps: tuple[HostAddress, ...]) -> asyncssh.SSHClientConnection:
        """The connection to the last of the jump hosts, opened once for all hosts behind it."""
        opening = self._jumps.get(jumps)
        if opening is None or (opening.done() and (opening.exception() or opening.result().is_closed())):
            opening = self._jumps[jumps] = asyncio.ensure_future(self._open_jump(jumps))
        return await asyncio.shield(opening)

    async def _open_jump(self, jumps: tuple[HostAddress, ...]) -> asyncssh.SSHClientConnection:
        address = jumps[-1]
        target = _Target(f"jump host {address.name}", address, settings_for(address, self._files), is_jump=True)
        tunnel: Tunnel = await self._jump(jumps[:-1]) if len(jumps) > 1 else self._dialer(target)
        return await self._connect(target, tunnel)

    # -- one connection

    async def _connect(self, target: _Target, tunnel: Tunnel) -> asyncssh.SSHClientConnection:
        settings = target.settings
        check = HostKeyCheck(
            target.label,
            settings.host_key_alias or settings.address,
            target.port if settings.host_key_alias is None else asyncssh.DEFAULT_PORT,
            policy=self._extension.host_key_policy,
            files=known_hosts_files(self._extension, settings),
        )
        agent_path = agent_socket(settings.identity_agent)
        identities = await self._identities(target, agent_path)
        limit = asyncio.timeout(LOGIN_SECONDS)

        async def ask(question: str) -> str | None:
            limit.reschedule(None)  # for a password that is typed, sshd sets the time limit
            answer = await self._prompts.secret(question)
            limit.reschedule(asyncio.get_running_loop().time() + LOGIN_SECONDS)
            return answer.reveal() if answer else None

        options = {
            **self._options(target, agent_path),
            "tunnel": tunnel,
            "client_factory": lambda: Client(check, f"{target.user or ''}@{settings.address}", ask),
            "server_host_key_algs": check.algorithms,
            "client_keys": list(identities.pairs) or None,
        }
        try:
            async with limit:
                connection = await asyncssh.connect(settings.address, **options)
        except asyncssh.PermissionDenied as error:
            self._remember(check)
            raise self._refused(target, identities, error) from error
        except (asyncssh.Error, OSError, TimeoutError) as error:
            if TOO_MANY_KEYS in str(error):
                raise self._refused(target, identities, error) from error
            raise check.refusal or await _unreachable(target, error, tunnel) from error
        self._remember(check)
        return connection

    def _options(self, target: _Target, agent_path: str | None) -> dict[str, Any]:
        """Return asyncssh's options for every connection; its own discovery and defaults are turned off."""
        options: dict[str, Any] = {
            "config": list(self._files) or None,
            "port": target.port,
            "known_hosts": _nothing_known,
            "agent_path": None,
            "agent_forwarding": agent_path if self._ssh.forward_agent and agent_path else False,
            "preferred_auth": METHODS,
            "send_env": None,  # the operator's language is not the server's
            "gss_host": None,
            "gss_kex": False,
            "gss_auth": False,
            "x509_trusted_certs": None,
            "compression_algs": None,
            "encryption_algs": () if target.settings.names_ciphers else FAST_CIPHERS,
            "keepalive_interval": self._ssh.keepalive_interval,
            "keepalive_count_max": KEEPALIVE_COUNT,
            "connect_timeout": None,
            "login_timeout": 0,
        }
        return options | ({"username": target.user} if target.user else {})

    async def _identities(self, target: _Target, agent_path: str | None) -> Identities:
        """Jump hosts take the operator's own keys as well: Ruby Kamal goes through them with the operator's `ssh`."""
        ssh, settings = self._ssh, target.settings
        if target.is_jump:
            return await self._keyring.identities(
                files=(*ssh.keys, *settings.identity_files),
                default_files=not settings.identity_files,
                only_these=settings.identities_only,
                agent_path=agent_path,
            )
        return await self._keyring.identities(
            files=ssh.keys or settings.identity_files,
            default_files=not (ssh.keys or settings.identity_files or ssh.key_data),
            only_these=ssh.keys_only or settings.identities_only,
            agent_path=agent_path,
        )

    def _remember(self, check: HostKeyCheck) -> None:
        try:
            check.remember()
        except OSError as error:
            self._bus.log(f"Could not add a host key to {error.filename}: {error.strerror}", Level.WARN)

    def _refused(self, target: _Target, identities: Identities, error: Exception) -> AuthenticationRefused:
        tried = [f"tried {name}" for name in identities.tried]
        if TOO_MANY_KEYS in str(error):
            hint = "name the right key with ssh/keys in deploy.yml, and ssh/keys_only: true to try no other"
        elif tried:
            hint = (
                "add one of these public keys to ~/.ssh/authorized_keys of that user on the host, "
                "or name the right key with ssh/keys in deploy.yml, or the right user with ssh/user"
            )
        else:
            hint = "start an SSH agent that has the key (ssh-add), or name its file with ssh/keys in deploy.yml"
        return AuthenticationRefused(
            f"{target.label} refuses to let {target.user or 'this user'} in: {getattr(error, 'reason', error)}",
            host=target.label,
            details=(
                *(tried or ["no key to try"]),
                *(f"not usable: {problem}" for problem in identities.problems),
            ),
            hint=hint,
        )


def _nothing_known(_host: str, _address: str, _port: int | None) -> tuple[list[Any], ...]:
    """Leaves every decision about host keys to `HostKeyCheck`."""
    return [], [], [], [], [], [], []


async def _unreachable(target: _Target, error: Exception, tunnel: Tunnel) -> ConnectionFailed:
    output_lines: tuple[str, ...] = ()
    if isinstance(tunnel, ProxyCommand):
        status = await tunnel.exit_status()
        output_lines = tunnel.output_lines
        if status is not None:
            return _failed_proxy_command(target, status, output_lines)
    where = f"{target.settings.address} port {target.port}"
    if isinstance(error, TimeoutError):
        return HostUnreachable(
            f"No SSH connection to {target.label} ({where}) within {LOGIN_SECONDS:g} seconds",
            host=target.label,
            details=output_lines,
            hint="the port is open, but sshd does not finish the login: see the load and the sshd log of the host",
            label="Net::SSH::ConnectionTimeout",
        )
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
    return HostUnreachable(
        f"No SSH connection to {target.label} ({where}): {reason}",
        host=target.label,
        details=output_lines,
        hint=f"see what `ssh -v -p {target.port} {target.user or 'USER'}@{target.settings.address} true` says",
        label=label_of(error),
    )


def _failed_proxy_command(target: _Target, status: int, output_lines: tuple[str, ...]) -> ConnectionFailed:
    """A ProxyCommand whose process ended before there was a login; a negative status is the signal that killed it."""
    ended = f"exit status {status}" if status >= 0 else f"signal {-status}"
    return HostUnreachable(
        f"No SSH connection to {target.label}: the proxy command ended with {ended}",
        host=target.label,
        details=output_lines or ("it printed nothing",),
        hint="run the command by hand; it is ssh/proxy_command in deploy.yml or ProxyCommand in the ssh configuration",
        label="Net::SSH::Proxy::ConnectError",
    )
