"""Decides if the key that a host shows is trusted, by policy and known_hosts files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncssh

from pykamal.commands.ssh_client import PINNED_KNOWN_HOSTS
from pykamal.config.models import Extension, HostKeyPolicy
from pykamal.core.errors import ConnectionFailed, HostKeyChanged, HostKeyUnknown
from pykamal.transport.client_config import HostSettings
from pykamal.transport.known_hosts import KnownKeys, add, fingerprint, host_name, look_up, negotiable

_ALGORITHMS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


@dataclass(frozen=True, slots=True)
class KnownHostsFiles:
    """`extended` gets new keys; all of `read` are read."""

    read: tuple[str, ...]
    extended: str | None


def known_hosts_files(extension: Extension, settings: HostSettings) -> KnownHostsFiles:
    """The files of a policy. The client configuration may name the user's files unless deploy.yml does."""
    if extension.host_key_policy is HostKeyPolicy.PINNED:
        return KnownHostsFiles((extension.known_hosts or PINNED_KNOWN_HOSTS,), None)
    user_files = (extension.known_hosts,) if extension.known_hosts else settings.user_known_hosts
    accepts_new = extension.host_key_policy is HostKeyPolicy.ACCEPT_NEW
    return KnownHostsFiles(
        (*user_files, *settings.global_known_hosts), user_files[0] if accepts_new and user_files else None
    )


class HostKeyCheck:
    """Checks the key of one host. `refusal` says why the key was not taken.

    `name` is the host as written in deploy.yml, for people; `host` and `port` are what known_hosts knows it by.
    """

    def __init__(self, name: str, host: str, port: int, *, policy: HostKeyPolicy, files: KnownHostsFiles) -> None:
        self.refusal: ConnectionFailed | None = None
        self._name = name
        self._host = host
        self._port = port
        self._policy = policy
        self._files = files
        self._known_keys = self._look_up()
        self._new_key: asyncssh.SSHKey | None = None

    def _look_up(self) -> KnownKeys:
        try:
            return look_up(self._files.read, self._host, self._port)
        except OSError as error:
            raise HostKeyUnknown(
                f"Cannot check whether the host key of {self._name} is known: {error.filename}: {error.strerror}",
                host=self._name,
                hint="make that file readable, or name another one with x-pykamal/known_hosts in deploy.yml",
            ) from error

    @property
    def algorithms(self) -> Sequence[str]:
        """Host key algorithms to ask for, those of keys that are known first: else the host may show another one."""
        known = negotiable(self._known_keys.key_types)
        preferred = [name for name in known if name in _ALGORITHMS]
        certified = [f"{name}-cert-v01@openssh.com" for name in _CERTIFIABLE] if self._known_keys.authorities else []
        return [*certified, *preferred, *(name for name in _ALGORITHMS if name not in preferred)]

    def remember(self) -> None:
        """Add an accepted new key to known_hosts; call it once the host has proved that the key is its own.

        Raises `OSError` when the file cannot be written.
        """
        if self._new_key is None or self._files.extended is None:
            return
        key = self._new_key
        self._new_key = None
        add(self._files.extended, self._host, self._port, key.get_algorithm(), key.public_data)

    def trusts_key(self, key: asyncssh.SSHKey) -> bool:
        """Return True for a key that is trusted; otherwise `refusal` says why it is not."""
        blob = key.public_data
        if self._known_keys.revokes(blob):
            self.refusal = self._revoked(blob)
        elif self._known_keys.trusts(blob):
            return True
        elif self._known_keys.keys:
            self.refusal = self._changed(key)
        elif self._policy is HostKeyPolicy.ACCEPT_NEW:
            self._new_key = key
            return True
        else:
            self.refusal = self._unknown(key)
        return False

    def trusts_authority(self, key: asyncssh.SSHKey) -> bool:
        """Return True for an authority whose host certificates count."""
        blob = key.public_data
        return not self._known_keys.revokes(blob) and any(entry.blob == blob for entry in self._known_keys.authorities)

    # -- refusals

    def _changed(self, key: asyncssh.SSHKey) -> HostKeyChanged:
        algorithm = key.get_algorithm()
        entries = self._known_keys.keys
        entry = next((entry for entry in entries if entry.key_type == algorithm), entries[0])
        name = host_name(self._host, self._port)
        return HostKeyChanged(
            f"The host key of {self._name} has changed: it is {fingerprint(key.public_data)} ({algorithm}), "
            f"but {entry.place} says {entry.fingerprint} ({entry.key_type})",
            host=self._name,
            details=(
                f"known: {entry.key_type} {entry.fingerprint} ({entry.place})",
                f"shown: {algorithm} {fingerprint(key.public_data)}",
            ),
            hint="somebody may be listening in between, or the server was set up anew. Compare the new fingerprint "
            f"with the server's console; if it is right: ssh-keygen -R '{name}' -f {entry.path}, then run this again",
        )

    def _unknown(self, key: asyncssh.SSHKey) -> HostKeyUnknown:
        target = self._files.read[0] if self._files.read else "known_hosts"
        port = f"-p {self._port} " if self._port != asyncssh.DEFAULT_PORT else ""
        return HostKeyUnknown(
            f"The host key of {self._name} is not known: {fingerprint(key.public_data)} ({key.get_algorithm()})",
            host=self._name,
            details=tuple(f"looked in {path}" for path in self._files.read),
            hint=f"compare the fingerprint with the server's console, then: "
            f"ssh-keyscan {port}-t {_scan_type(key)} {self._host} >> {target}",
        )

    def _revoked(self, blob: bytes) -> HostKeyChanged:
        entry = next(entry for entry in self._known_keys.revoked if entry.blob == blob)
        return HostKeyChanged(
            f"The host key of {self._name} is marked as revoked by {entry.place}: {entry.fingerprint}",
            host=self._name,
            hint="do not trust this host before it has a new key",
        )


_CERTIFIABLE: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


def _scan_type(key: asyncssh.SSHKey) -> str:
    algorithm = key.get_algorithm()
    return next((name for name in ("ed25519", "ecdsa", "rsa") if name in algorithm), algorithm)
