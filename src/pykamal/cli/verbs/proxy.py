"""`kamal proxy ...` (spec/cli.md 14.7)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.option_values import log_selection
from pykamal.cli.prompt import NOT_CONFIRMED, confirmed
from pykamal.cli.runner import follow, operate
from pykamal.cli.table import BOOT_CONFIG
from pykamal.core.errors import UsageError
from pykamal.operations import upgrade
from pykamal.operations.proxy import boot_config, image, lifecycle

_FLOWS = {
    "boot": lifecycle.boot,
    "build": image.build,
    "details": lifecycle.details,
    "remove_container": lifecycle.remove_container,
    "remove_image": lifecycle.remove_image,
    "remove_proxy_directory": lifecycle.remove_proxy_directory,
    "restart": lifecycle.restart,
    "start": lifecycle.start,
    "stop": lifecycle.stop,
}


def run(invocation: Invocation) -> int:
    match invocation.name:
        case "logs":
            return _logs(invocation)
        case "boot_config":
            return _boot_config(invocation)
        case "reboot" | "upgrade":
            planned = invocation.options.get("plan", False)
            if not planned and not confirmed(invocation, "This will cause a brief outage on each host. Are you sure?"):
                return NOT_CONFIRMED
            if invocation.name == "upgrade":
                return operate(invocation, lambda context: upgrade.upgrade_proxy(context, **invocation.own("rolling")))
            return operate(invocation, lambda context: lifecycle.reboot(context, **invocation.own("rolling", "force")))
        case "remove":
            return operate(invocation, lambda context: lifecycle.remove(context, **invocation.own("force")))
    return operate(invocation, _FLOWS[invocation.name])


def _logs(invocation: Invocation) -> int:
    selection = log_selection(invocation)
    if invocation.options["follow"]:
        return follow(invocation, lambda context: lifecycle.following(context, selection))
    return operate(invocation, lambda context: lifecycle.logs(context, selection))


def _boot_config(invocation: Invocation) -> int:
    match invocation.arguments[0]:
        case "set":
            options = invocation.own(*(option.key for option in BOOT_CONFIG))
            more = options.pop("docker_options")
            settings = boot_config.settings(**options)
            return operate(invocation, lambda context: boot_config.store(context, settings, docker_options=more))
        case "get":
            return operate(invocation, boot_config.show)
        case "reset":
            return operate(invocation, boot_config.reset)
        case other:
            raise UsageError(f"Unknown boot_config subcommand {other}", hint="it is one of set, get, reset")
