"""Compares options of `docker run` with what `docker inspect` says of a container."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pykamal.commands import proxy, proxy_paths
from pykamal.operations.hosts.wanted_proxy import Flags


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting: as the proxy runs, and as deploy.yml wants it; empty where it is not set."""

    name: str
    running: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.name} {self.running or 'none'} (deploy.yml: {self.wanted or 'none'})"


def differing(inspected: Mapping[str, Any], flags: Flags) -> Iterator[Difference]:
    """Options in which a container is not what a `docker run` with these flags makes; unknown ones are left out."""
    for name, option in _OPTIONS.items():
        given = [value for value in flags.get(name, ()) if not _of_every_proxy(value)]
        if any("$" in value for value in given):
            continue  # what the host's shell made of it is not known here
        wanted = [option.form(value) for value in (given if option.repeated else given[-1:])]
        running = [option.form(value) for value in option.values(inspected)]
        missing = [value for value in wanted if value not in running]
        surplus = [value for value in running if value not in wanted]
        if option.own and (missing or surplus):
            yield Difference(name, ", ".join(sorted(running)), ", ".join(sorted(wanted)))
        elif missing:
            yield Difference(name, ", ".join(_of_the_same_key(running, missing)), ", ".join(missing))


def setting(inspected: Mapping[str, Any], section: str, key: str) -> Any:
    """One value of `docker inspect`, None where there is none."""
    part = inspected.get(section)
    return part.get(key) if isinstance(part, Mapping) else None


def texts(value: object) -> list[str]:
    """A value of `docker inspect` as words of a command line; what is off or empty gives none."""
    match value:
        case Mapping():
            return [f"{key}={each}" for key, each in value.items()]
        case list():
            return [str(each) for each in value]
        case True:
            return ["true"]
        case None | False | 0 | "":
            return []
    return [str(value)]


def _of_every_proxy(volume: str) -> bool:
    """True if it is one of the two that every proxy has, wherever they are on the host."""
    return any(f":{inside}:" in f"{volume}:" for inside in (proxy.STATE_DIRECTORY, proxy_paths.APPS_DIRECTORY_INSIDE))


@dataclass(frozen=True, slots=True)
class _Option:
    """`form` gives a value its one spelling, `read` makes command line words of what `docker inspect` has.

    `own` tells that nothing but the command line sets it, neither the image nor the engine's defaults, so that a
    container that has it without being asked was made by another command line. `repeated` options add up.
    """

    section: str
    key: str
    own: bool = True
    repeated: bool = False
    form: Callable[[str], str] = str
    read: Callable[[Any], Sequence[str]] = texts

    def values(self, inspected: Mapping[str, Any]) -> Sequence[str]:
        """The values on the host; nothing where that has another shape than Docker gives it."""
        value = setting(inspected, self.section, self.key)
        try:
            return self.read(value) if value else ()
        except (AttributeError, TypeError, ValueError):
            return ()


def _size(text: str) -> str:
    """`268435456` and `256M` as `256m`."""
    match = re.fullmatch(r"([0-9]{1,18})([kmg]?)b?", text.strip().lower())
    if match is None:
        return text
    count = int(match[1]) << dict(_UNITS)[match[2]]
    unit, shift = next((unit, shift) for unit, shift in _UNITS if not count % (1 << shift))
    return f"{count >> shift}{unit}"


_UNITS: Final = (("g", 30), ("m", 20), ("k", 10), ("", 0))


def _number(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _capability(text: str) -> str:
    return text.upper().removeprefix("CAP_")


def _limit(text: str) -> str:
    """`nofile=1024` as `nofile=1024:1024`."""
    name, _, values = text.partition("=")
    soft, _, hard = values.partition(":")
    return f"{name}={soft}:{hard or soft}"


def _limits(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{entry.get('Name')}={entry.get('Soft')}:{entry.get('Hard')}" for entry in entries]


def _published(bindings: Mapping[str, Sequence[Mapping[str, str]] | None]) -> list[str]:
    """`[ADDRESS:]HOST_PORT:CONTAINER_PORT`."""
    return [
        f"{_address(binding.get('HostIp', ''))}{binding.get('HostPort', '')}:{port.removesuffix('/tcp')}"
        for port, bound in bindings.items()
        for binding in bound or ()
    ]


def _address(ip: str) -> str:
    if not ip:
        return ""
    return f"[{ip}]:" if ":" in ip else f"{ip}:"


def _restart(policy: Mapping[str, Any]) -> list[str]:
    count = policy.get("MaximumRetryCount")
    return [f"{policy.get('Name')}:{count}" if count else str(policy.get("Name"))]


def _volumes(binds: Sequence[str]) -> list[str]:
    return [bind for bind in binds if not _of_every_proxy(bind)]


def _of_the_same_key(running: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The running value in the place of `max-size=5m`; all of what has no keys."""
    keys = {value.partition("=")[0] for value in wanted}
    return [value for value in running if "=" not in value or value.partition("=")[0] in keys]


def _host(key: str, **more: Any) -> _Option:
    return _Option("HostConfig", key, **more)


def _of_image_too(key: str, **more: Any) -> _Option:
    return _Option("Config", key, own=False, **more)


_OPTIONS: Final[Mapping[str, _Option]] = {
    "publish": _host("PortBindings", repeated=True, form=lambda text: text.removesuffix("/tcp"), read=_published),
    "log-opt": _host("LogConfig", own=False, repeated=True, read=lambda log: texts(log.get("Config"))),
    "log-driver": _host("LogConfig", own=False, read=lambda log: texts(log.get("Type"))),
    "memory": _host("Memory", form=_size),
    "memory-reservation": _host("MemoryReservation", form=_size),
    "shm-size": _host("ShmSize", own=False, form=_size),
    "cpus": _host("NanoCpus", form=_number, read=lambda nanos: [f"{nanos / 1e9:g}"]),
    "cpu-shares": _host("CpuShares"),
    "cpuset-cpus": _host("CpusetCpus"),
    "pids-limit": _host("PidsLimit"),
    "oom-score-adj": _host("OomScoreAdj"),
    "restart": _host("RestartPolicy", own=False, read=_restart),
    "init": _host("Init", own=False),
    "read-only": _host("ReadonlyRootfs"),
    "privileged": _host("Privileged"),
    "add-host": _host("ExtraHosts", repeated=True),
    "dns": _host("Dns", own=False, repeated=True),
    "cap-add": _host("CapAdd", repeated=True, form=_capability),
    "cap-drop": _host("CapDrop", repeated=True, form=_capability),
    "security-opt": _host("SecurityOpt", own=False, repeated=True),
    "group-add": _host("GroupAdd", repeated=True),
    "sysctl": _host("Sysctls", repeated=True),
    "ulimit": _host("Ulimits", own=False, repeated=True, form=_limit, read=_limits),
    "volume": _host("Binds", repeated=True, read=_volumes),
    "user": _of_image_too("User"),
    "hostname": _of_image_too("Hostname"),
    "stop-timeout": _of_image_too("StopTimeout"),
    "env": _of_image_too("Env", repeated=True),
    "label": _of_image_too("Labels", repeated=True),
}
