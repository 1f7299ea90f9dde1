"""All that a deploy may change on a host, as a value: two of them tell whether it did."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pykamal.sandbox.host import Host

AUDIT_LOG = "/root/.kamal/hello-audit.log"
ATTEMPTS = ("Pulled image with version", "Executed cmd")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Containers by name with identifier and state, images by tag, and Kamal's files with modes and checksums."""

    containers: Mapping[str, tuple[str, str]]
    images: Mapping[str, str]
    networks: frozenset[str]
    volumes: frozenset[str]
    files: frozenset[str]
    audit_lines: tuple[str, ...]


def take(hosts: list[Host]) -> list[Snapshot]:
    with ThreadPoolExecutor(len(hosts)) as pool:
        return list(pool.map(_take, hosts))


def assert_unchanged(before: list[Snapshot], after: list[Snapshot]) -> None:
    """Fails the test on any difference but notes of attempts in the audit log, which come before what is attempted."""
    for old, new in zip(before, after, strict=True):
        added = new.audit_lines[len(old.audit_lines) :]
        assert new.audit_lines[: len(old.audit_lines)] == old.audit_lines
        assert all(any(attempt in line for attempt in ATTEMPTS) for line in added), added
        assert replace(new, audit_lines=()) == replace(old, audit_lines=())


def _take(host: Host) -> Snapshot:
    engine = host.engine
    listed = 'cd /root/.kamal 2>/dev/null || exit 0; find . ! -name "*-audit.log" ! -name .filler -printf "%M %p %l\\n"'
    summed = 'find . -type f ! -name "*-audit.log" ! -name .filler -exec sha256sum {} +'
    return Snapshot(
        containers={each["Names"][0]: (each["Id"], each["State"]) for each in engine.containers()},
        images={tag: each["Id"] for each in engine.images() for tag in each["RepoTags"] or [each["Id"]]},
        networks=frozenset(each["Name"] for each in engine.networks()),
        volumes=frozenset(each["Name"] for each in engine.volumes()),
        files=frozenset(host.run(["sh", "-c", f"{listed}; {summed}"]).splitlines()),
        audit_lines=tuple(host.read(AUDIT_LOG).splitlines()) if host.exists(AUDIT_LOG) else (),
    )
