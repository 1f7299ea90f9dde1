"""Compares the secrets that hosts have with what the managers hold now, by keyed hash: no value comes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from pykamal.commands.command import Command
from pykamal.commands.env_file import line_value
from pykamal.commands.flags import label_filters, name_filter
from pykamal.commands.secret_digests import FILE, Keys, digests
from pykamal.config.models import Env
from pykamal.core.sensitive import Sensitive
from pykamal.operations.context import Context
from pykamal.operations.hosts.reading import ENGINE, capture


class State(Enum):
    """The result for one variable in one place."""

    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing"
    EXTRA = "extra"
    """The env file has it, and deploy.yml names it no more."""
    UNUSED = "unused"
    """A container that does not run has another value; it is kept for rollbacks, which make a new one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One variable in one place of a host: the env file of a role or an accessory, or one of its containers."""

    host: str
    part: str
    place: str
    name: str
    state: State

    @property
    def counts(self) -> bool:
        """Return True where the host has something else than it should."""
        return self.state not in (State.SAME, State.UNUSED)


@dataclass(frozen=True, slots=True)
class _Part:
    """A role or an accessory on a host, with its env file."""

    title: str
    expected: Mapping[str, str]
    command: Command


async def compare(context: Context) -> list[Row]:
    """Compare every role and accessory on every selected host. Raises `SecretNotFound` before any host is asked."""
    keys = Keys.random()
    parts = {host: list(_parts(context, host, keys)) for host in context.selection.hosts}
    steps = {
        host: [(ENGINE.name, ENGINE.command), *((p.title, p.command) for p in each)] for host, each in parts.items()
    }
    results = await capture(context, [host for host in parts if parts[host]], lambda host: steps[host])
    return [
        row
        for host, answers in results.items()
        for part, answer in zip(parts[host], answers[1:], strict=True)
        for row in rows(host, part.title, part.expected, answer.stdout)
    ]


def _parts(context: Context, host: str, keys: Keys) -> Iterator[_Part]:
    config = context.config
    for role in context.selection.roles_on(host):
        expected = _expected(context, role.env_on(host), keys)
        filters = label_filters(config, role)
        yield _Part(f"role {role.name}", expected, digests(keys, config.role_env_file(role), filters, expected))
    for accessory in config.accessories:
        if host in context.selection.hosts_of(accessory):
            expected = _expected(context, accessory.env, keys)
            command = digests(keys, config.accessory_env_file(accessory), name_filter(accessory.service), expected)
            yield _Part(f"accessory {accessory.name}", expected, command)


def _expected(context: Context, env: Env, keys: Keys) -> dict[str, str]:
    values = {each.name: line_value(context.secrets[each.secret]) for each in env.secret_references}
    return {name: keys.digest(Sensitive(value)) for name, value in values.items()}


def rows(host: str, part: str, expected: Mapping[str, str], answer: str) -> Iterator[Row]:
    """Compare what a host printed of one role or accessory with what is expected."""
    lines = [line.split("\t") for line in answer.splitlines()]
    in_file = {name: digest for place, _, name, digest in _whole(lines) if place == FILE}
    for name in (*expected, *(name for name in in_file if name not in expected)):
        yield Row(host, part, "env file", name, _state(expected.get(name), in_file.get(name)))
    for container, state in (line for line in lines if len(line) == 2):
        found = {name: digest for place, _, name, digest in reversed(_whole(lines)) if place == container}
        for name, digest in expected.items():
            compared = _state(digest, found.get(name))
            if compared is not State.SAME and state not in ("running", "restarting", "paused"):
                compared = State.UNUSED
            yield Row(host, part, container, name, compared)


def _whole(lines: Iterable[list[str]]) -> list[list[str]]:
    return [line for line in lines if len(line) == 4]


def _state(expected: str | None, found: str | None) -> State:
    if expected is None:
        return State.EXTRA
    if found is None:
        return State.MISSING
    return State.SAME if found == expected else State.DIFFERS
