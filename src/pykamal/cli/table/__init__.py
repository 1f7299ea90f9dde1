"""The table of commands. Everything about a command is in its row: help, completion, documentation, parsing, logs and
the function that runs it derive from it, and reading the table imports no command.
"""

from __future__ import annotations

from pykamal.cli.table.containers import ACCESSORY, APP, PROXY
from pykamal.cli.table.images_and_hosts import BUILD, LOCK, PRUNE, REGISTRY, SANDBOX, SECRETS, SERVER
from pykamal.cli.table.row import CommandRow
from pykamal.cli.table.top_level import TOP_LEVEL

GROUPS: dict[str, str] = {
    "accessory": "Databases, caches and other services beside the app",
    "app": "The application's containers",
    "build": "The application's image",
    "lock": "The deploy lock",
    "proxy": "The proxy that switches traffic",
    "prune": "Containers and images that old deploys left",
    "registry": "The login to the image registry",
    "sandbox": "Throwaway servers on this machine, for trying a deploy",
    "secrets": "Secrets of the configuration",
    "server": "The servers themselves",
}

_ROWS: tuple[CommandRow, ...] = (
    *TOP_LEVEL,
    *ACCESSORY,
    *APP,
    *BUILD,
    *LOCK,
    *PROXY,
    *PRUNE,
    *REGISTRY,
    *SANDBOX,
    *SECRETS,
    *SERVER,
)
COMMANDS: tuple[CommandRow, ...] = tuple(row.with_plan() if row.plans else row for row in _ROWS)
"""Every row. No row names `--plan`, which every command has that plans."""


def command_row(path: str) -> CommandRow:
    """The row of a command that exists."""
    row = next((row for row in COMMANDS if row.path == path), None)
    assert row is not None, f"{path} is no command"
    return row


def within(group: str | None) -> tuple[CommandRow, ...]:
    """The commands of a group, or those of the top level, by name."""
    return tuple(sorted((row for row in COMMANDS if row.group == group), key=lambda row: row.name))


def top_names() -> tuple[str, ...]:
    """The names that a first word can mean: groups, and commands of the top level."""
    return tuple(sorted([*GROUPS, *(row.name for row in within(None))]))


def names_of_ours(group: str | None = None) -> frozenset[str]:
    """The commands and groups that Ruby Kamal does not have, of a group or of the top level.

    What begins the name of another command too abbreviates that one.
    """
    ours = {row.name for row in within(group) if row.ours}
    groups = () if group is not None else (name for name in GROUPS if all(row.ours for row in within(name)))
    return frozenset((*ours, *groups))


def paths_named(name: str) -> tuple[str, ...]:
    """The visible commands of groups that have this name: `logs` gives `accessory logs`, `app logs`, `proxy logs`."""
    return tuple(row.path for row in COMMANDS if row.name == name and row.group is not None and not row.hidden)
