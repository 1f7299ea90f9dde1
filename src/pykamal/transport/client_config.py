"""The OpenSSH client configuration files, as far as they count for a host (spec/cli.md 7)."""

from __future__ import annotations

import getpass
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from asyncssh import ConfigParseError
from asyncssh.config import SSHClientConfig

from pykamal.core.catalogue.files import SSH_CONFIG_UNREADABLE
from pykamal.core.errors import configuration_error
from pykamal.core.host_strings import HostAddress

USER_FILE: Final = "~/.ssh/config"
DEFAULT_FILES: Final = (USER_FILE, "/etc/ssh/ssh_config")
"""Those that OpenSSH reads. They can name programs (ProxyCommand, Match exec), so none lies in the project."""

_USER_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN_HOSTS: Final = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Settings of the files for one host; None and empty where they set nothing. Paths are expanded."""

    address: str
    user: str | None
    port: int | None
    host_key_alias: str | None
    jumps: str | None
    proxy_command: str | None
    identity_files: tuple[str, ...]
    identities_only: bool
    identity_agent: str | None
    connect_timeout: float | None
    user_known_hosts: tuple[str, ...]
    global_known_hosts: tuple[str, ...]
    names_ciphers: bool


def config_files(setting: bool | Sequence[str] | None) -> tuple[str, ...]:
    """The files that exist, for the value of `ssh.config`: None and True the default ones, False none.

    Raises `ConfigurationError` where others may write to the user's own file, as OpenSSH refuses it then.
    """
    if setting is False:
        return ()
    if setting is None or setting is True:
        _require_own(Path(USER_FILE).expanduser())
        setting = DEFAULT_FILES
    paths = [str(Path(name).expanduser()) for name in setting]
    return tuple(path for path in paths if os.access(path, os.R_OK))


def _require_own(file: Path) -> None:
    try:
        status = file.stat()
    except OSError:
        return
    owned = status.st_uid in (0, os.getuid())
    others = stat.S_IWOTH if status.st_gid == os.getgid() else stat.S_IWGRP | stat.S_IWOTH
    if not owned or status.st_mode & others:
        raise configuration_error(
            SSH_CONFIG_UNREADABLE,
            f"Bad owner or permissions on {file}",
            hint=f"it can name programs to run, so nobody else may write it: chown $USER {file}; chmod go-w {file}",
        )


def settings_for(host: HostAddress, files: Sequence[str]) -> HostSettings:
    """Read the files for a host. Raises `ConfigurationError` for a file that cannot be understood."""
    try:
        loaded = SSHClientConfig.load(
            None,
            [Path(file) for file in files],
            False,
            False,
            False,
            getpass.getuser(),
            host.user or (),
            host.name,
            host.port or (),
        )
    except (ConfigParseError, OSError, ValueError) as error:
        raise configuration_error(
            SSH_CONFIG_UNREADABLE,
            f"ssh configuration: {error}",
            hint="correct the file, or name other files (or none: false) with ssh/config in deploy.yml",
        ) from error
    return HostSettings(
        address=str(loaded.get("Hostname") or host.name),
        user=_text(loaded.get("User")),
        port=cast("int | None", loaded.get("Port")),
        host_key_alias=_text(loaded.get("HostKeyAlias")),
        jumps=_text(loaded.get("ProxyJump")),
        proxy_command=_text(loaded.get("ProxyCommand")),
        identity_files=_paths(loaded.get("IdentityFile") or ()),
        identities_only=bool(loaded.get("IdentitiesOnly")),
        identity_agent=_text(loaded.get("IdentityAgent")),
        connect_timeout=cast("float | None", loaded.get("ConnectTimeout")),
        user_known_hosts=_paths(_files(loaded.get("UserKnownHostsFile"), _USER_KNOWN_HOSTS)),
        global_known_hosts=_paths(_files(loaded.get("GlobalKnownHostsFile"), _GLOBAL_KNOWN_HOSTS)),
        names_ciphers=bool(loaded.get("Ciphers")),
    )


def _files(value: Any, default: Sequence[str]) -> Sequence[str]:
    return default if value is None else cast(Sequence[str], value)


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _paths(values: Any) -> tuple[str, ...]:
    return tuple(str(Path(value).expanduser()) for value in values)
