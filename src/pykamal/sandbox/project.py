"""Makes the operator's files for a sandbox: SSH keys and trust, Docker client settings, a ready Kamal project."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes
from pykamal.sandbox.manifest import Machine, Manifest, owner
from pykamal.sandbox.paths import Paths
from pykamal.sandbox.python_image import architecture

SERVICE = "hello"
APP_PORT = 8000
PASSWORD_VARIABLE = "REGISTRY_PASSWORD"  # noqa: S105 (the name, not the password)

DEPLOY = """\
# Deploys to the sandbox "{name}". Made by `kamal sandbox up`; change it as you like, it is not written again.
service: {service}
image: {service}/app

servers:
  web:
    hosts:
{hosts}

proxy:
  app_port: {app_port}
  healthcheck:
    path: /up
    interval: 1
    timeout: 5

registry:
  server: {registry}
  username: {username}
  password:
    - {password_variable}

builder:
  arch: {architecture}
  driver: docker
  args:
    REGISTRY: {registry}

ssh:
  user: root
  keys_only: true
  keys:
    - {private_key}
  config:
    - {ssh_config}

x-pykamal:
  ssh:
    host_key_policy: pinned
    known_hosts: {known_hosts}
"""

SECRETS = """\
# The sandbox's own registry; it guards nothing but this machine.
{password_variable}={password}
"""

SSH_CONFIGURATION = """\
Host {pattern}
  User root
  IdentityFile {private_key}
  IdentitiesOnly yes
  UserKnownHostsFile {known_hosts}
  StrictHostKeyChecking yes
"""


def make_keys(manifest: Manifest, paths: Paths) -> None:
    """Make the operator's key pair, a host key for each host, and the files that pin those."""
    paths.ssh.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(4) as pool:
        operator = pool.submit(_make_key, paths.private_key, f"pykamal-sandbox {manifest.name}")
        lines = list(pool.map(lambda host: _host_line(paths, host), manifest.hosts))
        operator.result()
    paths.known_hosts.write_text("".join(lines))
    pattern = manifest.gateway.rpartition(".")[0] + ".*"
    paths.ssh_config.write_text(
        SSH_CONFIGURATION.format(pattern=pattern, private_key=paths.private_key, known_hosts=paths.known_hosts)
    )


def server_keys(paths: Paths, host: Machine) -> dict[str, str]:
    """Return the keys that a host's sshd needs: its own private key and the operator's public one."""
    return {
        "host_key": _host_key(paths, host).read_text(),
        "authorized_key": paths.private_key.with_suffix(".pub").read_text(),
    }


def write_project(manifest: Manifest, paths: Paths) -> None:
    """Write `config/deploy.yml` and `.kamal/secrets` in the sandbox's own folder. Ruby Kamal reads them too."""
    (paths.project / "config").mkdir(parents=True, exist_ok=True)
    (paths.project / ".kamal").mkdir(exist_ok=True)
    deploy = paths.project / "config" / "deploy.yml"
    deploy.write_text(
        DEPLOY.format(
            name=manifest.name,
            service=SERVICE,
            hosts="\n".join(f"      - {host.address}" for host in manifest.hosts),
            app_port=APP_PORT,
            architecture=architecture(),
            registry=manifest.registry_server,
            username=manifest.registry_username,
            password_variable=PASSWORD_VARIABLE,
            private_key=paths.private_key,
            ssh_config=paths.ssh_config,
            known_hosts=paths.known_hosts,
        )
    )
    secrets = paths.project / ".kamal" / "secrets"
    secrets.touch(mode=0o600)
    secrets.write_text(SECRETS.format(password_variable=PASSWORD_VARIABLE, password=manifest.registry_password))
    paths.docker_config.mkdir(exist_ok=True)
    plugins = Path.home() / ".docker" / "cli-plugins"
    settings = {"cliPluginsExtraDirs": [str(plugins)]} if plugins.is_dir() else {}
    (paths.docker_config / "config.json").write_text(json.dumps(settings))
    folders = (paths.ssh, paths.project, paths.docker_config)
    socket = [paths.workstation_socket] if paths.workstation_socket.exists() else []
    inside = [path for folder in folders for path in folder.rglob("*")]
    _give_to_operator([*socket, paths.root, *folders, *inside])


def copy_project(paths: Paths, target: Path) -> list[Path]:
    """Copy the ready files to a project that lacks them, never over existing ones; return the new files."""
    written = []
    for name in ("config/deploy.yml", ".kamal/secrets"):
        file = target / name
        if file.exists():
            continue
        if not file.parent.exists():
            file.parent.mkdir(parents=True)
            _give_to_operator([file.parent])
        with file.open("x") as content:
            file.chmod(0o600 if name == ".kamal/secrets" else 0o644)
            content.write((paths.project / name).read_text())
        _give_to_operator([file])
        written.append(file)
    return written


def environment(manifest: Manifest, paths: Paths) -> dict[str, str]:
    """Return the environment for Kamal and Docker, but for the engine's address."""
    return {
        "DOCKER_CONFIG": str(paths.docker_config),
        "DOCKER_BUILDKIT": "1",
        PASSWORD_VARIABLE: manifest.registry_password,
    }


def _host_line(paths: Paths, host: Machine) -> str:
    paths.host(host.name).mkdir(parents=True, exist_ok=True)
    public = _make_key(_host_key(paths, host), host.name)
    kind, key = public.split()[:2]
    return f"{host.address} {kind} {key}\n"


def _host_key(paths: Paths, host: Machine) -> Path:
    return paths.host(host.name) / "ssh_host_ed25519_key"


def _make_key(path: Path, comment: str) -> str:
    """Make a key unless it exists and return its public line."""
    if not path.exists():
        background_processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return path.with_suffix(".pub").read_text()


def _give_to_operator(given: Sequence[Path]) -> None:
    """Give the keys, the project and the engine to the user who called through sudo."""
    who = owner()
    if who is None:
        return
    for path in given:
        try:
            os.chown(path, *who)
        except OSError as error:
            raise SandboxError(f"{path} cannot be given to user {who[0]}: {error}") from error
