"""Versions whose containers are on the hosts, to be started or rolled back to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pykamal.config.models import Role
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.hosts.facts import Container, HostFacts, version_of


def deployed(facts: HostFacts, role: Role) -> list[tuple[str, Container]]:
    """The role's containers by version, newest first, but for those that made way for one of the same version."""
    versions = [(version_of(role, container), container) for container in facts.of_role(role)]
    return [(version, container) for version, container in versions if "_replaced_" not in version]


def available_versions(context: Context, facts: Mapping[str, HostFacts]) -> list[str]:
    """Versions of which every selected role has a container on each of its hosts, newest first."""
    held = [[version for version, _ in deployed(each, role)] for each, role in _roles(context, facts)]
    return [version for version in held[0] if all(version in versions for versions in held)] if held else []


def full_version(context: Context, facts: Mapping[str, HostFacts], text: str) -> str:
    """The version that a text abbreviates, over all hosts and roles; the text itself where it is a version or none's.

    Raises `KamalError` with the candidates where it abbreviates several.
    """
    roles = list(_roles(context, facts))
    if any(each.has_container(role, text) for each, role in roles):
        return text
    held = dict.fromkeys(version for each, role in roles for version, _ in deployed(each, role))
    meant = [version for version in held if version.startswith(text)] if text else []
    if len(meant) > 1:
        everywhere = available_versions(context, facts)
        raise KamalError(
            f"The version '{text}' is ambiguous: {len(meant)} that are deployed begin with it",
            details=[version if version in everywhere else f"{version} (not on every host)" for version in meant],
            hint="give more characters of the version",
        )
    return meant[0] if meant else text


def without_container(context: Context, facts: Mapping[str, HostFacts], version: str) -> list[tuple[HostFacts, Role]]:
    """The hosts and roles that have no container of that version."""
    return [(each, role) for each, role in _roles(context, facts) if not each.has_container(role, version)]


def missing(facts: HostFacts, role: Role, version: str) -> str:
    """A line for people."""
    return f"{facts.host}: no container {role.container_name(version)}"


def _roles(context: Context, facts: Mapping[str, HostFacts]) -> Iterator[tuple[HostFacts, Role]]:
    return ((facts[host], role) for host in context.selection.app_hosts for role in context.selection.roles_on(host))


def listed(versions: Iterable[str]) -> str:
    return ", ".join(versions) or "none"
