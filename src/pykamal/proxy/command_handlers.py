"""Handlers of the commands (spec/proxy.md 9, 11 and 12). Each raises ProxyError with the message of the contract."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from pykamal.proxy.certificates import load_certificate
from pykamal.proxy.contract import SECOND
from pykamal.proxy.dataplane import Load
from pykamal.proxy.durations import format_duration
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.json_log import log
from pykamal.proxy.pages import load_pages
from pykamal.proxy.protection import load_users, protection_from_flags
from pykamal.proxy.service_options import ServiceOptions, options_from_flags
from pykamal.proxy.service_table import ServiceTable
from pykamal.proxy.services import Pause, Service, Split, conflicting
from pykamal.proxy.targets import Target, TargetSet

_DRAIN_POLL_S = (0.0, 0.005, 0.01, 0.02)
_DRAIN_POLL_SLOW_S = 0.05
_CONFIRMATION_POLL_S = 0.005
_CONFIRMATION_S = 2.0
"""Workers carry out the end of a drain within a twentieth of a second; one that hangs must not hold a command."""

Values = dict[str, Any]

_COLUMNS = ("Service", "Host", "Path", "Target", "State", "TLS")
_HEADER, _FIRST, _OTHER, _RESET = "\x1b[3;94m", "\x1b[1;34m", "\x1b[m", "\x1b[0m"


async def perform(registry: ServiceTable, command: str, service: str, values: Values, given: list[str]) -> str:
    """Runs one command; returns what its client prints."""
    if command == "list":
        return table(registry.with_tls())
    if command == "deploy":
        await deploy(registry, service, values, given)
    elif command == "rollout deploy":
        await deploy_rollout(registry, service, values)
    elif command == "rollout set":
        await set_rollout(registry, service, values["percent"], values["list"])
    elif command == "rollout stop":
        await stop_rollout(registry, service)
    elif command == "pause":
        await pause(registry, service, Pause("paused", fail_after=values["max-pause"]), values["drain-timeout"])
    elif command == "stop":
        await pause(registry, service, Pause("stopped", stop_message=values["message"]), values["drain-timeout"])
    elif command == "resume":
        await resume(registry, service)
    elif command == "remove":
        await remove(registry, service)
    else:
        raise ProxyError(f"unknown command {command!r}")
    return ""


async def deploy(registry: ServiceTable, name: str, values: Values, given: list[str]) -> None:
    """Checks the new targets, swaps them in together with the options, drains the replaced ones."""
    options, target_options = options_from_flags(values, given)
    protection = protection_from_flags(values)
    targets = TargetSet(values["target"], values["read-target"])
    certificate, pages = load_certificate(options), load_pages(options.error_page_path)
    _refuse_conflict(registry, name, options)
    users = load_users(protection.get("basic_auth_file", ""))
    new = Service(name, options, target_options, targets, certificate=certificate, pages=pages, protection=protection,
        users=users)  # fmt: skip
    log("INFO", "Deploying", service=name, targets=targets.names, hosts=options.hosts, paths=options.path_prefixes,
        tls=options.tls_enabled)  # fmt: skip
    old: TargetSet | None = None
    try:
        registry.start_checks(name, targets, of=new)
        if not values["force"]:
            await _until_healthy(targets, values["deploy-timeout"])
        async with registry.changing(name):
            _refuse_conflict(registry, name, options)
            existing = registry.services.get(name)
            if existing is not None:
                old = existing.active
                new.rollout, new.split, new.pause = existing.rollout, existing.split, existing.pause
            registry.services[name] = new
    except BaseException:
        targets.stop_checks()
        raise
    await registry.write_state(name)
    if old is not None:
        await _retire(registry, old, values["drain-timeout"])
    log("INFO", "Deployed", service=name, targets=targets.names, hosts=options.hosts, paths=options.path_prefixes,
        tls=options.tls_enabled)  # fmt: skip


async def deploy_rollout(registry: ServiceTable, name: str, values: Values) -> None:
    """Installs a second set beside the active one, with the service's stored options."""
    targets = TargetSet(values["target"], values["read-target"])
    service = registry.get(name)
    try:
        registry.start_checks(name, targets, of=service)
        await _until_healthy(targets, values["deploy-timeout"])
        async with registry.changing(name):
            service = registry.get(name)
            old, service.rollout = service.rollout, targets
    except BaseException:
        targets.stop_checks()
        raise
    await registry.write_state(name)
    if old is not None:
        await _retire(registry, old, values["drain-timeout"])


async def set_rollout(registry: ServiceTable, name: str, percentage: int, allowlist: list[str]) -> None:
    """Replaces the whole split."""
    if not 0 <= percentage <= 100:
        raise ProxyError("percent must be between 0 and 100")
    async with registry.changing(name):
        service = registry.get(name)
        if service.rollout is None:
            raise ProxyError("rollout target not set")
        service.split = Split(percentage, tuple(allowlist))
    await registry.write_state(name)
    log("INFO", "Set rollout split", service=name, percentage=percentage, allowlist=allowlist)


async def stop_rollout(registry: ServiceTable, name: str) -> None:
    """Removes the split; the rollout set stays."""
    async with registry.changing(name):
        registry.get(name).split = None
    await registry.write_state(name)
    log("INFO", "Stopped rollout", service=name)


async def pause(registry: ServiceTable, name: str, state: Pause, drain_timeout: int) -> None:
    """Pauses or stops a service, then drains what it has in flight."""

    def is_in_force() -> bool:
        service = registry.services.get(name)
        return service is not None and service.pause is state

    async with registry.changing(name):
        service = registry.get(name)
        service.pause = state
        targets = [target for chosen in service.sets for target in chosen.targets]
    log("INFO", f"Service {state.state}", service=name)
    await _drain(registry, targets, drain_timeout, is_in_force=is_in_force)
    await registry.write_state(name)
    log("INFO", "Service drained", service=name)


async def resume(registry: ServiceTable, name: str) -> None:
    """Lets requests through again, those that were held included."""
    async with registry.changing(name):
        registry.get(name).pause = Pause()
    await registry.write_state(name)
    log("INFO", "Service resumed", service=name)


async def remove(registry: ServiceTable, name: str) -> None:
    """Takes a service out of the table; requests in flight end by themselves. An unusable record is forgotten."""
    sets: list[TargetSet] = []
    if not registry.is_unusable(name):
        async with registry.changing(name):
            sets = registry.get(name).sets
            del registry.services[name]
    for targets in sets:
        targets.stop_checks()
        await registry.data_plane.forget(targets.targets)
    await registry.write_state(name)
    log("INFO", "Service removed", service=name)


def _refuse_conflict(registry: ServiceTable, name: str, options: ServiceOptions) -> None:
    other = conflicting(name, options, registry.services.values())
    if other is not None:
        log("ERROR", "Host settings conflict with another service", service=name, conflict=other.name)
        raise ProxyError("host settings conflict with another service")


async def _until_healthy(targets: TargetSet, timeout_ns: int) -> None:
    try:
        async with asyncio.timeout(timeout_ns / SECOND):
            await targets.all_healthy.wait()
    except TimeoutError:
        limit = format_duration(timeout_ns)
        raise ProxyError(f"target failed to become healthy within configured timeout ({limit})") from None


async def _retire(registry: ServiceTable, replaced: TargetSet, timeout_ns: int) -> None:
    replaced.stop_checks()
    for target in replaced.targets:
        log("INFO", "Target health updated", target=target.name, state="draining", was=target.state)
        target.state = "draining"
    await _drain(registry, replaced.targets, timeout_ns)
    await registry.data_plane.forget(replaced.targets)


async def _drain(
    registry: ServiceTable, targets: list[Target], timeout_ns: int, *, is_in_force: Callable[[], bool] = lambda: True
) -> None:
    """Closes upgraded connections at once, waits for the rest, cancels what is left at the end of the time.

    Ends nothing more when it is no longer `is_in_force`.
    """
    data_plane = registry.data_plane
    load = await data_plane.close_upgraded(targets)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_ns / SECOND
    pauses = iter(_DRAIN_POLL_S)
    while load.in_flight and (left := deadline - loop.time()) > 0:
        await asyncio.sleep(min(left, next(pauses, _DRAIN_POLL_SLOW_S)))
        load = await data_plane.load(targets)
    if not is_in_force():
        return
    if load.in_flight:
        await data_plane.cancel(targets, shared_addresses=registry.shared_addresses(targets))
        load = await data_plane.load(targets)
    else:
        load = await data_plane.close_upgraded(targets)  # those that were about to be upgraded
    await _until_confirmed(registry, targets, load)


async def _until_confirmed(registry: ServiceTable, targets: list[Target], load: Load) -> None:
    """Waits until no worker has anything of a drain left, for a limited time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _CONFIRMATION_S
    while load:
        if loop.time() > deadline:
            log("WARN", "Requests outlive their drain", targets=[target.name for target in targets],
                in_flight=load.in_flight, upgraded=load.upgraded)  # fmt: skip
            return
        await asyncio.sleep(_CONFIRMATION_POLL_S)
        load = await registry.data_plane.load(targets)


def table(services: Iterable[tuple[Service, bool]]) -> str:
    """One line per service and its effective TLS flag, sorted by name, under the column titles."""
    rows = [_row(service, tls) for service, tls in sorted(services, key=lambda entry: entry[0].name)]
    widths = [max(len(row[column]) for row in [_COLUMNS, *rows]) for column in range(len(_COLUMNS))]
    lines = ["".join(_cell(text, width, _HEADER) for text, width in zip(_COLUMNS, widths, strict=True))]
    for row in rows:
        styles = [_FIRST] + [_OTHER] * (len(row) - 1)
        cells = zip(row, widths, styles, strict=True)
        lines.append("".join(_cell(text, width, style) for text, width, style in cells))
    return "\n".join(lines) + "\n"


def _row(service: Service, tls: bool) -> tuple[str, ...]:
    return (
        service.name,
        ",".join(service.options.hosts) or "*",
        ",".join(service.options.path_prefixes),
        ",".join(service.active.names),
        service.pause.state,
        "yes" if tls else "no",
    )


def _cell(text: str, width: int, style: str) -> str:
    return f"{style}{text}{_RESET}{' ' * (width - len(text) + 2)}"
