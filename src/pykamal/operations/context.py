"""What every flow needs: the configuration, the selection, the way to the hosts, and somebody to tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pykamal.config.models import Config
from pykamal.events import Bus
from pykamal.operations.selection import Selection, select

if TYPE_CHECKING:
    from pykamal.operations.local.local_context import LocalContext
    from pykamal.secrets.store import Secrets
    from pykamal.transport.fleet import Fleet
    from pykamal.transport.local import LocalSession


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options (spec/cli.md 1.4); times in seconds.

    `plan_only` prints what would be done. `upgrade_proxy` replaces a proxy that is too old without asking.
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
    plan_only: bool = False
    upgrade_proxy: bool = False
    config_file: str = "config/deploy.yml"
    destination: str | None = None


@dataclass
class Context:
    """One run of one command.

    `operation` is what the user asked for (`deploy`, `app boot`). `lock_held` tells whether this run, or a parent that
    started it (`KAMAL_LOCK=true`), holds the deploy lock. `ask` puts a question to the user; it is None where nobody
    can answer. `only_hosts` are what a flow has narrowed the selection down to.
    """

    config: Config
    settings: Settings
    bus: Bus
    fleet: Fleet
    local: LocalSession
    secrets: Secrets
    local_context: LocalContext
    operation: str
    lock_held: bool = False
    version_override: str | None = None
    ask: Callable[[str], Awaitable[bool]] | None = None
    only_hosts: tuple[str, ...] | None = None

    @cached_property
    def selection(self) -> Selection:
        settings = self.settings
        selected = select(self.config, hosts=settings.hosts, roles=settings.roles, primary=settings.primary)
        return selected if self.only_hosts is None else selected.only(self.only_hosts)

    def on(self, hosts: Iterable[str]) -> Context:
        """The same run on these of its hosts alone, for flows that go through them in groups."""
        return replace(self, only_hosts=tuple(hosts))

    @property
    def version(self) -> str:
        """The app version in effect: a flow's own, `--version`, `VERSION`, the Git commit (spec/cli.md 3.1)."""
        return self.version_override or self.settings.version or self.local_context.version
