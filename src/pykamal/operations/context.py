"""The context of one run: configuration, selection, connections, executor and event bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

from pykamal.config.models import Config
from pykamal.events import Bus
from pykamal.operations.selection import Selection, select

if TYPE_CHECKING:
    from pykamal.commands.script import Step
    from pykamal.operations.execution.plan import Phase, Plan
    from pykamal.operations.local.local_context import LocalContext
    from pykamal.secrets.store import Secrets
    from pykamal.transport.fleet import Fleet
    from pykamal.transport.local import LocalSession
    from pykamal.transport.session import StepResult

Entered = TypeVar("Entered")


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options (spec/cli.md 1.4); times in seconds.

    `upgrade_proxy` replaces a proxy that is too old without asking.
    """

    version: str | None = None
    hosts: str | None = None
    roles: str | None = None
    primary: bool = False
    skip_hooks: bool = False
    lock_wait: bool = False
    lock_wait_timeout: int = 900
    lock_wait_interval: int = 15
    verbosity: str = "normal"
    upgrade_proxy: bool = False
    config_file: str = "config/deploy.yml"
    destination: str | None = None


class Executor(Protocol):
    """Takes the steps of flows: carries them out, or records them for a plan. Flows never ask which of the two it is.

    Reading hosts is not its business, and what `around` and `beside` take is no step, so no part of a plan.
    """

    def flow_bus(self, bus: Bus) -> Bus:
        """The bus for what flows themselves tell."""
        ...

    async def execute(self, plan: Plan, context: Context, /) -> None:
        """Take the phases in order. Raises the failures of a phase; later phases are not begun."""
        ...

    async def exchange(self, phase: Phase, context: Context, /) -> Mapping[str, Sequence[StepResult]]:
        """Take one task a host, for a flow that looks at each answer itself; the results by host."""
        ...

    async def run_all(self, *calls: Coroutine[object, object, None]) -> None:
        """Do different things that need not wait for each other. Raises the first failure."""
        ...

    def around(
        self, scope: AbstractAsyncContextManager[Entered], otherwise: Entered, /
    ) -> AbstractAsyncContextManager[Entered]:
        """The setting of steps, such as the deploy lock; `otherwise` is what a recording has instead."""
        ...

    async def beside(self, call: Callable[[], Awaitable[None]], /) -> None:
        """Do what belongs to carrying steps out and is none, such as a check that they had their effect."""
        ...

    def pending(self, host: str, /) -> Sequence[Step]:
        """The steps for a host that were recorded and not carried out, so that its facts do not show them."""
        ...


@dataclass
class Context:
    """One run of one command.

    `operation` is what the user asked for (`deploy`, `app boot`). `lock_held` tells whether this run, or a parent that
    started it (`KAMAL_LOCK=true`), holds the deploy lock. `ask` puts a question to the user; it is None where nobody
    can answer. `only_hosts` and `only_roles` are what a flow has narrowed the selection down to.
    `leaks_refused` tells that files and the history were searched for leaked secrets, where that is to be done.
    """

    config: Config
    settings: Settings
    bus: Bus
    fleet: Fleet
    local: LocalSession
    secrets: Secrets
    local_context: LocalContext
    executor: Executor
    operation: str
    lock_held: bool = False
    version_override: str | None = None
    ask: Callable[[str], Awaitable[bool]] | None = None
    leaks_refused: bool = False
    only_hosts: tuple[str, ...] | None = None
    only_roles: tuple[str, ...] | None = None

    @cached_property
    def selection(self) -> Selection:
        settings = self.settings
        selected = select(self.config, hosts=settings.hosts, roles=settings.roles, primary=settings.primary)
        return selected if self.only_hosts is None else selected.only(self.only_hosts, self.only_roles)

    def on(self, hosts: Iterable[str], roles: Iterable[str] | None = None) -> Context:
        """The same run on these of its hosts alone, and with these roles, for flows that go through them in groups."""
        return replace(self, only_hosts=tuple(hosts), only_roles=None if roles is None else tuple(roles))

    async def execute(self, plan: Plan) -> None:
        """Take the phases of a plan in order. Raises what fails."""
        await self.executor.execute(plan, self)

    @property
    def version(self) -> str:
        """The app version in effect: a flow's own, `--version`, `VERSION`, the Git commit (spec/cli.md 3.1)."""
        return self.version_override or self.settings.version or self.local_context.version
