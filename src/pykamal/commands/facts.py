"""Commands that read the facts of a host, from which flows decide."""

from __future__ import annotations

from typing import Final

from pykamal.commands import proxy
from pykamal.commands.command import Command, query
from pykamal.config.models.service import Config

CONTAINER_FIELDS: Final = (
    "{{.Names}}",
    "{{.State}}",
    "{{.Image}}",
    '{{.Label "service"}}',
    '{{.Label "role"}}',
    '{{.Label "destination"}}',
    "{{.RunningFor}}",
    "{{.ID}}",
)


def containers() -> Command:
    """Print a line for each container of the host, newest first: `CONTAINER_FIELDS` separated by tabs."""
    return query("docker", "container", "ls", "--all", "--format", "\t".join(CONTAINER_FIELDS)).quietly()


def proxy_container() -> Command:
    """Print a line of JSON: `Config` and `HostConfig` of the proxy's container. Fails where there is none."""
    template = '{"Config": {{json .Config}}, "HostConfig": {{json .HostConfig}}}'
    return _optional(query("docker", "container", "inspect", "--format", template, proxy.CONTAINER))


def proxy_services() -> Command:
    """Print the proxy's state file, which names its services (spec/proxy.md 4); nothing where there is none.

    It is copied out, which takes a third of the time that a program inside takes and works while the proxy is stopped.
    """
    copied = query("docker", "cp", f"{proxy.CONTAINER}:{proxy.STATE_FILE}", "-").redirected("2> /dev/null")
    return _optional(copied | query("tar", "-xO"))


def proxy_settings(config: Config, host: str) -> Command:
    """Print two lines: the login directory, and the proxy's settings on the host (spec/cli.md 14.7)."""
    return query("pwd").then(proxy.stored_settings(config, host)).quietly()


def _optional(line: Command) -> Command:
    return line.redirected("2> /dev/null").failing_allowed().quietly()
