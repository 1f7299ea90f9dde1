"""Hosts in memory: they answer what is read of them out of facts, and keep what was done to them.

They stand in where a test is about which steps a flow takes, for every flow and many states of hosts; what the steps do
to real hosts is for the end-to-end tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from pykamal.commands.command import Command, Effect
from pykamal.commands.script import Script, Step, script
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.transport.session import StepResult

Done = tuple[str, str, str]
"""Host, name of the step, and its command as it is shown."""


class MemoryFleet:
    """The hosts by name. `answers` are outputs of reading steps, by name of the step; all others print nothing."""

    def __init__(self, facts: Mapping[str, HostFacts], answers: Mapping[str, str] | None = None) -> None:
        self.hosts = {host: MemoryHost(host, each.containers, dict(answers or {})) for host, each in facts.items()}
        self.done: list[Done] = []

    async def session(self, host: str) -> MemorySession:
        return MemorySession(self.hosts.setdefault(host, MemoryHost(host)), self.done)

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
        if step.name in ("check Docker", "check use of Docker", "read containers") and not self.docker:
            return 127, ""
        if step.name == "read containers":
            return 0, "".join("\t".join(_fields(container)) + "\n" for container in self.containers)
        return 0, self.answers.get(step.name, "")

    def change(self, text: str) -> None:
        """Do what a command does to containers, as far as flows look at them again."""
        for pattern, change in _CHANGES.items():
            for match in re.finditer(pattern, text):
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

    async def run_script(self, steps: Script, *, check: bool = True, whole: bool = False) -> list[StepResult]:
        return [self._run(step) for step in steps]

    async def run(self, command: Command, *, name: str = "", check: bool = True) -> StepResult:
        return self._run(*script(Step(name, command)))

    async def feed(self, step: Step, content: memoryview, *, sent: Callable[[int], Any]) -> StepResult:
        return self._run(step)

    def _run(self, step: Step) -> StepResult:
        self._done.append((self.host, step.name, str(step.command)))
        if step.command.effect is Effect.READ:
            return StepResult(step, *self._host.answer(step), "", 0.0)
        self._host.change(str(step.command))
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


_CHANGES = {
    r"docker run --name (\S+)": _made,
    r"docker container start (\S+)-next": _made,
    r"docker (?:container )?stop (?:-t \d+ )?(\S+)": _stopped,
    r"docker container prune --force --filter label=org.opencontainers.image.title=(kamal-proxy)": _removed,
    r"docker container prune --force --filter label=service=(\S+)": _pruned,
}
