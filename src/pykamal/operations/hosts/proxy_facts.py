"""Facts of a host's proxy: the services behind it, how its container was made, how it would be made now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pykamal.proxy.contract import PROTECTIONS, STATE_KEY


@dataclass(frozen=True, slots=True)
class ProxyService:
    """One service of the proxy. `hosts` has an empty name for any host; `paths` begin with a slash and end with none.

    `targets` are `CONTAINER_ID:PORT`; `protections` are names of settings below x-pykamal/proxy.
    """

    name: str
    hosts: tuple[str, ...] = ("",)
    paths: tuple[str, ...] = ("/",)
    tls: bool = False
    targets: tuple[str, ...] = ()
    protections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProxyFacts:
    """The proxy of one host.

    `container` is what `docker inspect` says of it, None where there is none. `directory` is the login directory, and
    `stored_settings` the flags, the image and the command that a new proxy gets where deploy.yml does not say.
    """

    services: tuple[ProxyService, ...] = ()
    container: Mapping[str, Any] | None = None
    directory: str = ""
    stored_settings: str = ""


def parse(container: str, state: str, settings: str) -> ProxyFacts:
    """Parse the output of `proxy_container`, `proxy_services` and `proxy_settings` of `pykamal.commands.facts`."""
    inspected = _decoded(container)
    records = _decoded(state)
    directory, _, stored_settings = settings.partition("\n")
    return ProxyFacts(
        services=tuple(_services(records if isinstance(records, list) else [])),
        container=inspected if isinstance(inspected, Mapping) else None,
        directory=directory.strip(),
        stored_settings=stored_settings.strip(),
    )


def normal_host(name: str) -> str:
    """As the proxy compares it."""
    return name.lower().removesuffix(".")


def normal_path(prefix: str) -> str:
    return f"/{prefix.strip('/')}"


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _services(records: Sequence[object]) -> Iterator[ProxyService]:
    for record in records:
        if isinstance(record, Mapping) and isinstance(name := record.get("name"), str):
            yield _service(name, record)


def _service(name: str, record: Mapping[str, Any]) -> ProxyService:
    options = _section(record, "options")
    hosts = _texts(options.get("hosts")) or _texts(record.get("hosts"))  # where older versions keep them
    paths = _texts(options.get("path_prefixes")) or _texts(record.get("path_prefixes"))
    return ProxyService(
        name=name,
        hosts=tuple(map(normal_host, hosts)) or ("",),
        paths=tuple(map(normal_path, paths)) or ("/",),
        tls=options.get("tls_enabled") is True,
        targets=tuple(_texts(record.get("active_targets"))),
        protections=tuple(_protections(_section(record, STATE_KEY))),
    )


def _protections(written: Mapping[str, Any]) -> list[str]:
    """The settings below x-pykamal/proxy that differ from their defaults."""
    different = (each for each in PROTECTIONS if written.get(each.name) and written[each.name] != each.default)
    return list(dict.fromkeys(each.key.partition("/")[0] for each in different))


def _section(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
