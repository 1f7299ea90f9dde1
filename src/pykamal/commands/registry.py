"""Commands that log in to registries and run a local registry (spec/cli.md 14.9)."""

from __future__ import annotations

import base64

from pykamal.commands.command import Command, command, query
from pykamal.commands.words import Expanded, Output, Syntax, Word
from pykamal.core.sensitive import Sensitive, encoded, reveal

LOCAL_REGISTRY = "kamal-docker-registry"
DOCKER_HUB = "https://index.docker.io/v1/"

_CONFIG = '"${DOCKER_CONFIG:-$HOME/.docker}/config.json"'


def login(server: str | None, username: str | Sensitive, password: str | Sensitive) -> Command:
    """Log the engine's user in; no server is Docker Hub. The password goes on standard input, unseen by other users."""
    line = command("docker", "login", *_argument(server), "-u", Expanded(username), "--password-stdin")
    return line.fed(password)


def ensure_login(server: str | None, username: str | Sensitive, password: str | Sensitive) -> Command:
    """Log in unless exactly this user and password are stored already, which saves a request to the registry.

    Nothing but the shell sees what is compared. Entries that a credential helper keeps do not match, so those log in.
    """
    stored = base64.b64encode(encoded(f"{reveal(username)}:{reveal(password)}")).decode()
    entry = query("grep", "-F", "-A", "1", f'"{server or DOCKER_HUB}": {{', Syntax(_CONFIG)).redirected("2> /dev/null")
    auth = entry | query("grep", "-o", '"auth": ".*"')
    known = query("test", Output(auth), "=", Sensitive(f'"auth": "{stored}"'))
    return known.or_(login(server, username, password))


def logout(server: str | None) -> Command:
    return command("docker", "logout", *_argument(server))


def start_local(port: int) -> Command:
    """Start the local registry, or create it. Only this machine can reach it."""
    run = command("docker", "run", "--detach", "-p", f"127.0.0.1:{port}:5000", "--name", LOCAL_REGISTRY, "registry:3")
    return command("docker", "start", LOCAL_REGISTRY).or_(run)


def remove_local() -> Command:
    stop = command("docker", "stop", LOCAL_REGISTRY)
    return stop.and_(command("docker", "rm", LOCAL_REGISTRY)).failing_allowed()


def _argument(server: str | None) -> list[Word]:
    return [server] if server else []
