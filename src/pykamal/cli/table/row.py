"""The row of a command: every fact about it, and how its handler is found."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from pykamal.cli.options import GLOBAL, OUTSIDE_OF_FLOWS, PLAN, Option


class Effect(IntEnum):
    """The effect of a command. Each level includes those before it (spec/cli.md 12)."""

    LOOKS = 0
    """It changes nothing."""
    CHANGES = 1
    """It changes hosts, or this machine."""
    LOGGED = 2
    """`output` of deploy.yml keeps a log of it (column M)."""
    LOCKED = 3
    """It holds the deploy lock while it changes hosts (column L)."""
    DEPLOYS = 4
    """It leaves the app at the version of the run, which completion then offers."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """An option that cannot be given together with any of the others (keys). `message` replaces Ruby Kamal's words."""

    option: str
    others: tuple[str, ...]
    message: str = ""


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command.

    `path` is its full name (`app boot`). `handler` is `module:function` below `pykamal`, imported when the command
    runs. A function of `operations` is a flow: it gets the context of a run, and by name the command's arguments and
    options. A function of `cli` gets the `Invocation` and returns the exit code. `help` and `tree` have no handler,
    since `command_lookup` answers them.

    `arguments` is their usage text: `[NAME]` may be left out, `NAME...` takes what is left, `a|b` is a choice.
    `looks_without` is the option or argument without which the command only looks. `question` is asked before a flow
    starts. `connects` tells that a flow connects to all selected hosts at its start. `passes_options` hands unknown
    options on with the arguments (exec). A command without `needs_project` never reads deploy.yml, nor does its
    completion. `uses_secrets` tells that it may need a secret, so that they are read before any host is touched.
    `takes_all` lets `all` stand for every accessory. Ruby Kamal does not have a command that is `ours`.
    """

    path: str
    summary: str
    handler: str
    effect: Effect
    arguments: str = ""
    options: tuple[Option, ...] = ()
    looks_without: str = ""
    question: str = ""
    conflicts: tuple[Conflict, ...] = ()
    connects: bool = True
    hidden: bool = False
    passes_options: bool = False
    needs_project: bool = True
    uses_secrets: bool = False
    takes_all: bool = False
    ours: bool = False

    @property
    def group(self) -> str | None:
        return self.path.rpartition(" ")[0] or None

    @property
    def name(self) -> str:
        return self.path.rpartition(" ")[2]

    @property
    def is_flow(self) -> bool:
        return self.handler.startswith("operations.")

    @property
    def plans(self) -> bool:
        """True where its steps can be planned: it changes something, and not by a command line of the user's."""
        return self.effect > Effect.LOOKS and self.needs_project and not self.passes_options

    def with_plan(self) -> CommandRow:
        return replace(self, options=(*self.options, PLAN))

    @property
    def usage(self) -> str:
        """Name, required options and arguments, as help shows them."""
        required = [option.forms[-1] for option in self.options if option.required]
        return " ".join([self.path, *required, self.arguments]).rstrip()

    @property
    def argument_names(self) -> tuple[str, ...]:
        """`("name", "command")` for `NAME COMMAND...`."""
        return tuple(word.strip("[].").lower() for word in self.arguments.split())

    @property
    def least_arguments(self) -> int:
        return sum(not word.startswith("[") for word in self.arguments.split())

    @property
    def most_arguments(self) -> int | None:
        """None: any number."""
        return None if "..." in self.arguments else len(self.arguments.split())

    @property
    def command_at(self) -> int | None:
        """The number of the argument with which a command line to run begins; None where there is none."""
        return self.argument_names.index("command") if self.passes_options else None

    @property
    def all_options(self) -> tuple[Option, ...]:
        """Its own, then the global ones that it does not use for itself."""
        own = {option.name for option in self.options}
        return (*self.options, *(option for option in GLOBAL if option.name not in own))

    @property
    def flow_options(self) -> tuple[str, ...]:
        """The keys of the options that a flow gets by name."""
        return tuple(option.key for option in self.options if option not in OUTSIDE_OF_FLOWS)

    def named(self, arguments: Sequence[str]) -> dict[str, str]:
        """The arguments of a command line by their names."""
        return dict(zip(self.argument_names, arguments, strict=False))

    def effect_of(self, arguments: Sequence[str], options: Mapping[str, Any]) -> Effect:
        """The effect of a command line. It looks only, with `--plan` and without what it needs to do more."""
        given = self.named(arguments) if self.looks_without in self.argument_names else options
        if options.get("plan") or (self.looks_without and not given.get(self.looks_without)):
            return Effect.LOOKS
        return self.effect

    def reads_secrets(self, arguments: Sequence[str], options: Mapping[str, Any]) -> bool:
        """Return True where a command line or its plan may need a secret. A container that runs has its own."""
        looks = self.effect_of(arguments, {**options, "plan": False}) is Effect.LOOKS
        return self.uses_secrets and not looks and not options.get("reuse")

    def function(self) -> Callable[..., Any]:
        """Import the handler."""
        module, _, name = self.handler.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(f"pykamal.{module}"), name)
        return function
