"""Commands that check a host before a deploy: free disk space, an engine that answers, free ports for the proxy.

All of it only looks, so that a host that is not ready stops a deploy before any host was changed.
"""

from __future__ import annotations

from typing import Final

from pykamal.commands.command import Command, query
from pykamal.commands.evidence import port_holders
from pykamal.commands.flags import name_filter
from pykamal.commands.proxy import CONTAINER
from pykamal.commands.proxy_paths import PROXY_DIRECTORY
from pykamal.commands.words import Output, Syntax, joined
from pykamal.config.models.proxy import ProxyRun
from pykamal.config.models.service import Config

PORT_TAKEN_STATUS: Final = 73
"""Exit status of `engine_and_ports` for a taken port, whose holder is on standard error (EX_CANTCREAT)."""

DISK_FULL_STATUS: Final = 74
"""Exit status of `disks` for a full disk, which is named on standard error (EX_IOERR of sysexits.h)."""

LEAST_KILOBYTES: Final = 1024
"""The free space for the few small files of a deploy; the size of an image is not known before the pull."""


def disks() -> Command:
    """Fail when the login directory, Kamal's in it or Docker's usual directory has less than a megabyte left."""
    full = f"NR > 1 && $4 < {LEAST_KILOBYTES} {{ print; full = 1 }} END {{ exit full }}"
    sizes = query("df", "-Pk", ".", ".kamal", "/var/lib/docker").redirected("2> /dev/null")
    complaint = query("awk", full).redirected(">&2")
    return (sizes | complaint).or_(query("exit", str(DISK_FULL_STATUS))).quietly()


def engine() -> Command:
    """Print the identifier of the running proxy container, if any. Fails where there is no engine to ask."""
    return query("docker", "container", "ls", "--quiet", *name_filter(CONTAINER)).quietly()


def engine_and_ports(config: Config, host: str) -> Command:
    """Fail when no proxy runs and something else listens on its ports, or when there is no engine to ask.

    Ports of a proxy that is bound to single addresses, or set up by `kamal proxy boot_config`, are not checked. Without
    `ss` on the host they count as free.
    """
    settings = config.proxy_run_on(host)
    ports = _ports(settings)
    if not ports:
        return engine()
    running = query("test", "-n", Syntax('"$id"'))
    if settings is None:
        running = running.or_(query("test", "-e", f"{PROXY_DIRECTORY}/options"))
    wanted = " or ".join(f"sport = :{port}" for port in ports)
    listening = query(Syntax("!"), "ss", "-Hltnp", f"( {wanted} )").redirected("2> /dev/null")
    free = listening | query("grep", "-q", ".")
    taken = port_holders(ports).grouped().redirected(">&2").then(query("exit", str(PORT_TAKEN_STATUS))).grouped()
    ready = running.or_(free).or_(taken)
    return query(joined(Syntax("id="), Output(engine()))).and_(ready.grouped()).quietly()


def _ports(settings: ProxyRun | None) -> tuple[int, ...]:
    if settings is None:
        return (80, 443)
    return (settings.http_port, settings.https_port) if settings.publish and not settings.bind_ips else ()
