"""What a flow reads of a host before it decides anything."""

from __future__ import annotations

from typing import Final

from pykamal.commands.command import Command, query

CONTAINER_FIELDS: Final = (
    "{{.Names}}",
    "{{.State}}",
    "{{.Image}}",
    '{{.Label "service"}}',
    '{{.Label "role"}}',
    '{{.Label "destination"}}',
    "{{.RunningFor}}",
)


def containers() -> Command:
    """One line for each container of the host, newest first: `CONTAINER_FIELDS` separated by tabs."""
    return query("docker", "container", "ls", "--all", "--format", "\t".join(CONTAINER_FIELDS)).quietly()
