"""Selects the hosts and roles of a run (spec/cli.md 2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pykamal.config.models import Accessory, Config, Role
from pykamal.core.errors import SelectionError


@dataclass(frozen=True, slots=True)
class Selection:
    """The selection. Hosts and roles are ordered with the primary role and its hosts first.

    `remarks` tell of patterns that match nothing beside others that do, and of filters that leave no host.
    """

    config: Config
    roles: tuple[Role, ...]
    hosts: tuple[str, ...]
    primary_host: str | None
    filtered_roles: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def primary_role(self) -> Role | None:
        """Among the selected roles on the primary host: the configured primary role, else the first."""
        here = [role for role in self.roles if self.primary_host in role.host_names]
        return next((role for role in here if role.primary), here[0] if here else None)

    @property
    def app_hosts(self) -> tuple[str, ...]:
        """Selected hosts that carry any role, selected or not (spec/cli.md 2.3)."""
        return self._selected(self.config.app_hosts)

    @property
    def proxy_hosts(self) -> tuple[str, ...]:
        return tuple(host for host in self.config.proxy_hosts if host in self.hosts)

    @property
    def accessory_hosts(self) -> tuple[str, ...]:
        names = dict.fromkeys(host for accessory in self.config.accessories for host in accessory.hosts)
        return tuple(host for host in names if host in self.hosts)

    def roles_on(self, host: str) -> tuple[Role, ...]:
        return tuple(role for role in self.roles if host in role.host_names)

    def hosts_of(self, accessory: Accessory) -> tuple[str, ...]:
        return tuple(host for host in accessory.hosts if host in self.hosts)

    def only(self, hosts: Iterable[str], names: Iterable[str] | None = None) -> Selection:
        """The same selection on these hosts alone, and with the roles of these names, where any are given.

        The first host leads where the primary host is not among them.
        """
        kept = self._selected(hosts)
        leader = self.primary_host if self.primary_host in kept else next(iter(kept), None)
        chosen = None if names is None else set(names)
        roles = tuple(
            role for role in self.roles if set(role.host_names) & set(kept) and (chosen is None or role.name in chosen)
        )
        primary_role = _primary_role(roles, leader)
        return replace(
            self,
            hosts=kept,
            primary_host=leader,
            roles=tuple(sorted(roles, key=lambda role: role is not primary_role)),
        )

    def _selected(self, hosts: Iterable[str]) -> tuple[str, ...]:
        names = set(hosts)
        return tuple(host for host in self.hosts if host in names)


def select(config: Config, *, hosts: str | None = None, roles: str | None = None, primary: bool = False) -> Selection:
    """Apply `--hosts`, `--roles` and `--primary`. Raises `SelectionError` when a filter matches nothing."""
    role_names = [role.name for role in config.roles]
    role_filter, no_roles = _matching(roles, role_names, "--roles")
    host_filter, no_hosts = _matching(hosts, config.all_hosts, "--hosts")
    if primary:
        first = _first_host(config, role_filter) if role_filter else config.primary_host
        host_filter = [first] if first else host_filter

    filtered = [role for role in config.roles if role_filter is None or role.name in role_filter]
    selected_hosts = list(host_filter if host_filter is not None else config.all_hosts)
    if role_filter is not None:
        of_roles = {host for role in filtered for host in role.host_names}
        selected_hosts = [host for host in selected_hosts if host in of_roles]
    if host_filter is not None:
        filtered = [role for role in filtered if set(role.host_names) & set(host_filter)]

    nothing = () if selected_hosts or not config.all_hosts else ("--hosts and --roles together leave no host",)
    primary_host = _primary_host(config, host_filter, filtered if role_filter is not None else None)
    primary_role = _primary_role(filtered, primary_host)
    first_hosts = set(primary_role.host_names) if primary_role is not None else set()
    return Selection(
        config=config,
        roles=tuple(sorted(filtered, key=lambda role: role is not primary_role)),
        hosts=tuple(sorted(selected_hosts, key=lambda host: host not in first_hosts)),
        primary_host=primary_host,
        filtered_roles=tuple(role_filter or ()),
        remarks=(*no_hosts, *no_roles, *nothing),
    )


def _primary_host(config: Config, host_filter: Sequence[str] | None, filtered: Sequence[Role] | None) -> str | None:
    if host_filter:
        return host_filter[0]
    if filtered:
        role = next((role for role in filtered if role.primary), filtered[0])
        return role.host_names[0] if role.hosts else None
    if config.primary_host is not None:
        return config.primary_host
    # With accessories alone Ruby Kamal takes no lock at all; the first accessory host carries ours (spec/cli.md 22, 2).
    return config.all_hosts[0] if config.all_hosts else None


def _primary_role(roles: Sequence[Role], primary_host: str | None) -> Role | None:
    here = [role for role in roles if primary_host in role.host_names]
    return next((role for role in here if role.primary), here[0] if here else None)


def _first_host(config: Config, role_filter: Sequence[str]) -> str | None:
    role = config.role(role_filter[0])
    return role.host_names[0] if role is not None and role.hosts else None


def _matching(text: str | None, names: Sequence[str], option: str) -> tuple[list[str] | None, list[str]]:
    """The names that are chosen, if any are to be, and what to say of patterns that choose none."""
    if not text:
        return None, []
    patterns = [pattern.strip() for pattern in text.split(",")]
    chosen = {pattern: [name for name in names if _glob(pattern).fullmatch(name)] for pattern in patterns}
    found = dict.fromkeys(name for matches in chosen.values() for name in matches)
    if not found:
        known = ", ".join(names) or "none"
        raise SelectionError(f"No {option} match for {','.join(patterns)}", hint=f"choose from {known}")
    return list(found), [f"No {option} match for {pattern}" for pattern, matches in chosen.items() if not matches]


def _glob(pattern: str) -> re.Pattern[str]:
    """A shell pattern in which `*` crosses slashes; `fnmatch` would also fold case on some systems."""
    out = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        closing = pattern.find("]", position + 2) if character == "[" else -1
        if closing > 0:
            body = pattern[position + 1 : closing]
            negated = body[0] in "!^"
            out.append(f"[{'^' if negated else ''}{re.escape(body[negated:]).replace(chr(92) + '-', '-')}]")
            position = closing
        else:
            out.append({"*": ".*", "?": "."}.get(character, re.escape(character)))
        position += 1
    return re.compile("".join(out), re.DOTALL)
