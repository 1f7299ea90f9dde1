"""The state file, which this proxy and the one it replaces both read and write (spec/proxy.md 4)."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pykamal.proxy.certificates import load_certificate
from pykamal.proxy.pages import load_pages
from pykamal.proxy.protection import load_users, protection_from_state, state_of
from pykamal.proxy.records import are_texts, is_text, is_whole, require, section
from pykamal.proxy.service_options import HealthCheckOptions, ServiceOptions, TargetOptions, options_from_state
from pykamal.proxy.services import STATES, Pause, Service, Split
from pykamal.proxy.targets import TargetSet

Record = dict[str, Any]
_RECORDS_A_PIECE = 256
_BETWEEN = re.compile(r"\s*,\s*")
_NULL_WHEN_EMPTY = ("exclude_metrics_paths", "log_request_headers", "log_response_headers")


@dataclass(frozen=True, slots=True)
class Saved:
    """The records of a state file, and what was wrong with it, if anything."""

    records: list[Record]
    damage: str = ""


class StateFile:
    """`kamal-proxy.state` in the data directory. Keeps the records of services that could not be rebuilt."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unusable: dict[str, Record] = {}
        self._texts: dict[str, bytes] = {}
        self._writing = asyncio.Lock()
        self._asked = 0
        self._saved = 0

    def read(self) -> Saved | None:
        """Return the content of the file, None when there is none.

        A file that cannot be understood is set aside under another name; of one that was cut off, as by a full disk,
        the complete records are taken. Raises OSError when the file cannot be read: then nothing may be written in
        its place.
        """
        try:
            text = self._path.read_text(encoding="utf-8-sig", errors="replace")
        except FileNotFoundError:
            return None
        try:
            return Saved(_records(json.loads(text)))
        except (ValueError, RecursionError) as problem:
            aside = self._path.with_name(f"{self._path.name}.corrupt")
            self._path.replace(aside)
            return Saved(list(_complete_records(text)), f"{self._path} is damaged ({problem}); moved to {aside}")

    async def save(self, services: Mapping[str, Service], changed: Iterable[str]) -> None:
        """Replaces the file at once; only the `changed` services are looked at anew.

        When it returns, a file with these changes is on the disk; those who wait at the same time share one. Raises
        OSError.
        """
        for name in changed:
            self.unusable.pop(name, None)  # else it would be back once the one that replaced it is removed
            self.encode(services, [name])
        self._asked += 1
        asked = self._asked
        async with self._writing:
            if self._saved >= asked:
                return
            covered = self._asked
            await asyncio.to_thread(self._replace, self._pieces(services))
            self._saved = covered

    def encode(self, services: Mapping[str, Service], names: Iterable[str]) -> None:
        """Prepares the records of these services, which for thousands of them takes a while."""
        for name in names:
            if name in services:
                self._texts[name] = _text(record_of(services[name]))
            else:
                self._texts.pop(name, None)

    def _pieces(self, services: Mapping[str, Service]) -> list[bytes]:
        self.encode(services, services.keys() - self._texts.keys())
        return [*self._texts.values(), *map(_text, self.unusable.values())]

    def _replace(self, records: list[bytes]) -> None:
        """In pieces: one large text would take longer to put together than the kernel takes to write it."""
        temporary = self._path.with_name(f".{self._path.name}.new")
        temporary.unlink(missing_ok=True)  # of a killed server, and maybe of another user
        try:
            with temporary.open("xb") as file:
                file.write(b"[")
                for start in range(0, len(records), _RECORDS_A_PIECE):
                    file.write((b"," if start else b"") + b",".join(records[start : start + _RECORDS_A_PIECE]))
                file.write(b"]\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError:
            temporary.unlink(missing_ok=True)  # on a full disk, the half that fitted is in everybody's way
            raise
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _records(content: Any) -> list[Record]:
    if not isinstance(content, list) or not all(isinstance(record, dict) for record in content):
        raise ValueError("it is not a list of services")
    return content


def _complete_records(text: str) -> Iterator[Record]:
    """The objects at the beginning of a list that ends too early."""
    decoder = json.JSONDecoder()
    begun = re.match(r"\s*\[\s*", text)
    position = begun.end() if begun else len(text)
    while position < len(text):
        try:
            record, position = decoder.raw_decode(text, position)
            yield from _records([record])
        except (ValueError, RecursionError):
            return
        between = _BETWEEN.match(text, position)
        position = between.end() if between else len(text)


def _text(record: Record) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def record_of(service: Service) -> Record:
    """The state file's object for one service; durations in nanoseconds."""
    targets = _plain(service.target_options)
    targets["health_check_config"] = _plain(service.target_options.health_check_config)
    split = service.split
    return {
        "name": service.name,
        "options": _plain(service.options),
        "target_options": targets,
        "active_targets": [target.name for target in service.active.writers],
        "active_readers": [target.name for target in service.active.readers],
        "rollout_targets": [target.name for target in service.rollout.writers] if service.rollout else None,
        "rollout_readers": [target.name for target in service.rollout.readers] if service.rollout else None,
        "pause_controller": {
            "state": STATES.index(service.pause.state),
            "stop_message": service.pause.stop_message,
            "fail_after": service.pause.fail_after,
        },
        "rollout_controller": {
            "percentage": split.percentage,
            "percentage_split_point": split.point,
            "allowlist": list(split.allowlist),
        }
        if split
        else None,
    } | state_of(service.protection)


def _plain(options: ServiceOptions | TargetOptions | HealthCheckOptions) -> Record:
    record: Record = {}
    for option in fields(options):
        value = getattr(options, option.name)
        if isinstance(value, tuple):
            value = list(value) if value or option.name not in _NULL_WHEN_EMPTY else None
        record[option.name] = value
    return record


def service_of(record: Mapping[str, Any]) -> Service:
    """A service from its record, its targets counted as healthy. Raises ProxyError, TypeError, ValueError."""
    name = record.get("name")
    require(is_text(name), "name", name)
    written = dict(section(record, "options"))
    for legacy in ("hosts", "path_prefixes"):
        if not written.get(legacy) and record.get(legacy):
            written[legacy] = record[legacy]
    options, target_options = options_from_state(written, section(record, "target_options"))
    active = _target_set(record, "active")
    if active is None:
        raise ValueError("it has no target")
    protection = protection_from_state(record)
    service = Service(
        name=str(name),
        options=options,
        target_options=target_options,
        active=active,
        rollout=_target_set(record, "rollout"),
        pause=_pause(section(record, "pause_controller")),
        split=_split(section(record, "rollout_controller")),
        certificate=load_certificate(options) if options.is_root else None,
        pages=load_pages(options.error_page_path),
        protection=protection,
        users=load_users(protection.get("basic_auth_file", "")),
    )
    for target in (target for chosen in service.sets for target in chosen.targets):
        target.state = "healthy"
    return service


def _target_set(record: Mapping[str, Any], kind: str) -> TargetSet | None:
    """The set `active` or `rollout`, None when it is empty. The legacy key holds a single name."""
    legacy = record.get(f"{kind}_target")
    writers = record.get(f"{kind}_targets") or ([legacy] if legacy else [])
    readers = record.get(f"{kind}_readers") or []
    require(are_texts(writers), f"{kind}_targets", writers)
    require(are_texts(readers), f"{kind}_readers", readers)
    return TargetSet(writers, readers) if writers else None


def _pause(written: Mapping[str, Any]) -> Pause:
    number, message, limit = written.get("state", 0), written.get("stop_message", ""), written.get("fail_after", 0)
    require(is_whole(number) and 0 <= number < len(STATES), "state", number)
    require(is_text(message), "stop_message", message)
    require(is_whole(limit), "fail_after", limit)
    return Pause(state=STATES[number], stop_message=message, fail_after=limit)


def _split(written: Mapping[str, Any]) -> Split | None:
    if not written:
        return None
    percentage, allowlist = written.get("percentage", 0), written.get("allowlist") or []
    require(is_whole(percentage), "percentage", percentage)
    require(are_texts(allowlist), "allowlist", allowlist)
    return Split(percentage, tuple(allowlist))
