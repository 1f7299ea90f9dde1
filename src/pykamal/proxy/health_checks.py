"""Health checks: one check, and the watch over a target set (spec/proxy.md 8)."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urljoin, urlsplit

from pykamal.proxy.contract import SECOND
from pykamal.proxy.fetching import fetch
from pykamal.proxy.json_log import log
from pykamal.proxy.service_options import HealthCheckOptions
from pykamal.proxy.targets import Target, TargetSet

MAXIMUM_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)

Changed = Callable[[Target], Awaitable[None]]


def watch(targets: TargetSet, options: HealthCheckOptions, changed: Changed) -> None:
    """Starts the checks of every target: until its first success when it is alone, else for the set's life.

    `changed` is awaited after a target changed its state or its address.
    """
    for target in targets.targets:
        targets.checks.append(asyncio.create_task(_watch_target(targets, target, options, changed)))


def check_path(path: str) -> str:
    """`web/up` is `/web/up`; dot segments and double slashes are folded, a slash at the end stays."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return f"{clean}/" if path.endswith("/") and clean != "/" else clean


async def _watch_target(targets: TargetSet, target: Target, options: HealthCheckOptions, changed: Changed) -> None:
    loop = asyncio.get_running_loop()
    alone = len(targets.targets) == 1
    while True:
        started = loop.time()
        moved = await target.resolve()
        problem = await check(target, options)
        before = target.state
        targets.set_state(target, "unhealthy" if problem else "healthy")
        if problem:
            log("INFO", "Healthcheck failed", url=_url(target, options), error=problem)
        if before != target.state:
            log("INFO", "Target health updated", target=target.name, state=target.state, was=before)
        if moved or before != target.state:
            await changed(target)
        if alone and not problem:
            return
        pause_s = options.interval / SECOND
        await asyncio.sleep(max(0.0, pause_s - (loop.time() - started)))


async def check(target: Target, options: HealthCheckOptions) -> str:
    """One check; empty when the target is healthy, else the reason.

    A target is not found healthy at an address that its name does not have for certain: the container may be gone, and
    another one have its address.
    """
    if not target.address:
        return f"lookup {target.host}: no such host"
    if not target.is_confirmed and target.state != "healthy":
        return f"lookup {target.host}: server misbehaving"
    asked = [_url(target, options)]
    host = options.host or target.name
    try:
        async with asyncio.timeout(options.timeout / SECOND):
            status = await _final_status(asked, target.address, host)
    except TimeoutError:
        return f"{_redirection(asked)}context deadline exceeded"
    except (OSError, ValueError) as problem:
        return f"{_redirection(asked)}{str(problem) or type(problem).__name__}"
    return "" if 200 <= status <= 299 else f"unexpected status {status}"


def _url(target: Target, options: HealthCheckOptions) -> str:
    path = quote(check_path(options.path), safe="/%:@!$&'()*+,;=~")
    return f"http://{target.host}:{options.port or target.port}{path}"


def _redirection(asked: list[str]) -> str:
    """The address that a check was redirected to, as the upstream proxy writes it; empty where it was not."""
    return f'Get "{asked[-1]}": ' if len(asked) > 1 else ""


async def _final_status(asked: list[str], address: str, host: str) -> int:
    """The status behind all redirects, whose addresses are added to `asked`."""
    for _ in range(MAXIMUM_REDIRECTS + 1):
        url = asked[-1]
        answer = await fetch(url, address=address, host=host)
        if answer.status not in _REDIRECTS or not answer.location:
            return answer.status
        onwards = urljoin(url, answer.location)
        if urlsplit(onwards).netloc not in ("", urlsplit(url).netloc):
            host = urlsplit(onwards).netloc
            address = urlsplit(onwards).hostname or ""
        asked.append(onwards)
    raise ValueError(f"stopped after {MAXIMUM_REDIRECTS} redirects")
