"""Hosts in memory: they answer what is read of them out of facts, and keep what was done to them.

They stand in where a test is about which steps a flow takes, for every flow and many states of hosts; what the steps do
to real hosts is for the end-to-end tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from pykamal.commands.command import Command, Effect
from pykamal.commands.script import Script, Step
from pykamal.operations.execution.plan import LOCAL
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.transport.session import StepResult

Done = tuple[str, Step]
"""A host and a step that it did."""


class MemoryFleet:
    """The hosts by name, and this machine. `answers` are outputs of reading steps, by name; all others print nothing.

    Hosts in `bare` have no Docker.
    """

    def __init__(
        self, facts: Mapping[str, HostFacts], answers: Mapping[str, str] | None = None, *, bare: Iterable[str] = ()
    ) -> None:
        self.answers = dict(answers or {})
        self.hosts = {
            host: MemoryHost(host, each.containers, dict(self.answers), host not in bare)
            for host, each in facts.items()
        }
        self.done: list[Done] = []

    async def session(self, host: str) -> MemorySession:
        known = self.hosts.setdefault(host, MemoryHost(host, answers=dict(self.answers)))
        return MemorySession(known, self.done)

    @property
    def local(self) -> MemorySession:
        return MemorySession(self.hosts.setdefault(LOCAL, MemoryHost(LOCAL, answers=dict(self.answers))), self.done)

    async def connect_all(self, hosts: Iterable[str]) -> None:
        pass

    async def before_connecting(self) -> None:
        pass

    async def reconnect(self, host: str) -> None:
        pass


@dataclass
class MemoryHost:
    """The containers of one host, and whether it has Docker."""

    name: str
    containers: tuple[Container, ...] = ()
    answers: dict[str, str] = field(default_factory=dict)
    docker: bool = True

    def answer(self, step: Step) -> tuple[int, str]:
        """Exit status and output of a step that reads."""
        if "docker" in step.command.display_text() and not self.docker:
            return 127, ""
        if step.name == "read containers":
            return 0, "".join("\t".join(_fields(container)) + "\n" for container in self.containers)
        return 0, self.answers.get(step.name, "")

    def change(self, text: str) -> None:
        """Do what a command does to containers, as far as flows look at them again."""
        matches = [(match, change) for pattern, change in _CHANGES.items() for match in re.finditer(pattern, text)]
        for match, change in sorted(matches, key=lambda each: each[0].start()):
            self.containers = change(self.containers, match[1])
        if "docker.io" in text:
            self.docker = True
        if re.match(r"rm -r \.kamal/apps/", text) and self.answers.get("count apps"):
            self.answers["count apps"] = str(int(self.answers["count apps"]) - 1)


class MemorySession:
    user = "root"

    def __init__(self, host: MemoryHost, done: list[Done]) -> None:
        self._host = host
        self._done = done

    @property
    def host(self) -> str:
        return self._host.name

    async def run_script(self, steps: Script, **_: object) -> list[StepResult]:
        return [self._run(step) for step in steps]

    async def run(self, command: Command, *, name: str = "", **_: object) -> StepResult:
        return self._run(Step(name, command))

    async def feed(self, step: Step, _: memoryview, *, sent: Callable[[int], Any]) -> StepResult:
        return self._run(step)

    def forward_remote_port(self, _remote: int, _local: int) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def _run(self, step: Step) -> StepResult:
        self._done.append((self.host, step))
        if step.command.effect is Effect.READ:
            return StepResult(step, *self._host.answer(step), "", 0.0)
        self._host.change(step.command.display_text())
        return StepResult(step, 0, "", "", 0.0)


def _fields(container: Container) -> list[str]:
    return [getattr(container, name) for name in Container.__slots__]


def _made(containers: tuple[Container, ...], name: str) -> tuple[Container, ...]:
    service = "" if name == "kamal-proxy" else name
    return (Container(name, "running", "image:v9.9.9", service), *_removed(containers, name))


def _stopped(containers: tuple[Container, ...], name: str) -> tuple[Container, ...]:
    return tuple(replace(each, state="exited") if each.name == name else each for each in containers)


def _removed(containers: tuple[Container, ...], name: str) -> tuple[Container, ...]:
    return tuple(each for each in containers if each.name != name)


def _pruned(containers: tuple[Container, ...], label: str) -> tuple[Container, ...]:
    return tuple(each for each in containers if each.running or each.service != PurePath(label).name)


def _pruned_of_name(containers: tuple[Container, ...], name: str) -> tuple[Container, ...]:
    return tuple(each for each in containers if each.running or each.name != name)


_CHANGES = {
    r"docker run --name (\S+)": _made,
    r"docker container start (\S+)-next": _made,
    r"docker (?:container )?stop (?:-t \d+ )?(\S+)": _stopped,
    r"docker container prune --force --filter label=org.opencontainers.image.title=(kamal-proxy)": _pruned_of_name,
    r"docker container prune --force --filter label=service=(\S+)": _pruned,
}
