"""`kamal proxy boot_config`: how the proxy is started where deploy.yml does not say (spec/cli.md 14.7, deprecated)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from pykamal.commands import proxy, proxy_boot_config
from pykamal.commands.command import Command
from pykamal.commands.script import Step, script
from pykamal.config.models import ProxyRun
from pykamal.config.models.proxy import MINIMUM_PROXY_VERSION
from pykamal.core.errors import UsageError
from pykamal.events import Result, Tone
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts.reading import capture

DEPRECATION = "The proxy boot_config command is deprecated - set the config in the deploy YAML at proxy/run instead"


async def store(context: Context, settings: ProxyRun, *, docker_options: Sequence[str] = ()) -> None:
    """Keep the settings on every proxy host; the next `proxy reboot` uses them."""
    context.bus.say(DEPRECATION, Tone.WARNING)
    await _on_proxies(context, "set boot config", proxy_boot_config.store(settings, docker_options))


async def show(context: Context) -> None:
    """Show the settings that the proxy of each host would be started with."""
    context.bus.say(DEPRECATION, Tone.WARNING)
    read = await capture(
        context, context.selection.proxy_hosts, lambda _: [("read boot config", proxy.legacy_settings())]
    )
    for host, results in read.items():
        context.bus.emit(Result(text=f"Host {host}: {results[-1].captured}"))


async def reset(context: Context) -> None:
    """Go back to the defaults on every proxy host."""
    context.bus.say(DEPRECATION, Tone.WARNING)
    await _on_proxies(context, "reset boot config", proxy_boot_config.reset())


def settings(
    *,
    publish: bool,
    publish_host_ip: Sequence[str],
    http_port: int,
    https_port: int,
    log_max_size: str,
    registry: str | None,
    repository: str | None,
    image_version: str | None,
    metrics_port: int | None,
    debug: bool,
) -> ProxyRun:
    """The settings of the command's options. Raises `UsageError` for what is no IP address."""
    for address in publish_host_ip:
        try:
            ip_address(address)
        except ValueError:
            raise UsageError(f"Invalid publish IP address: {address}") from None
    return ProxyRun(
        http_port=http_port,
        https_port=https_port,
        publish=publish,
        bind_ips=tuple(publish_host_ip),
        metrics_port=metrics_port,
        debug=debug,
        log_max_size=log_max_size,
        registry=registry,
        repository=f"{repository or 'basecamp'}/kamal-proxy",
        version=image_version or MINIMUM_PROXY_VERSION,
    )


async def _on_proxies(context: Context, title: str, commands: Sequence[Command]) -> None:
    steps = script(Step(title, command) for command in commands)
    tasks = tuple(Task(host, title, steps) for host in context.selection.proxy_hosts)
    await context.execute(Plan(f"proxy boot_config {title}", (Phase(title, tasks),)))
