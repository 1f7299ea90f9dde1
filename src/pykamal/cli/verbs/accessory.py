"""`kamal accessory ...` (spec/cli.md 12.3)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import in_terminal, operate
from pykamal.cli.prompt import confirmed
from pykamal.cli.words import command_line, log_options, refuse_together
from pykamal.operations import accessory, accessory_exec, accessory_logs, accessory_parts

_FLOWS = {
    "boot": accessory.boot,
    "details": accessory.details,
    "directories": accessory_parts.directories,
    "pull_image": accessory_parts.pull_image,
    "reboot": accessory.reboot,
    "remove": accessory.remove,
    "remove_container": accessory_parts.remove_container,
    "remove_image": accessory_parts.remove_image,
    "remove_service_directory": accessory_parts.remove_service_directory,
    "restart": accessory.restart,
    "start": accessory.start,
    "stop": accessory.stop,
    "upload": accessory_parts.upload,
}


def run(invocation: Invocation) -> int:
    name, *words = invocation.arguments
    match invocation.name:
        case "exec":
            return _exec(invocation, name, command_line(words))
        case "logs":
            return _logs(invocation, name)
        case "remove":
            what = f"all containers, images and data directories for {name}"
            if not confirmed(invocation, f"This will remove {what}. Are you sure?"):
                return 0
        case "upgrade":
            if not confirmed(invocation, "This will restart all accessories"):
                return 0
            options = invocation.own("rolling")
            return operate(invocation, lambda context: accessory.upgrade(context, name=name, **options))
    flow = _FLOWS[invocation.name]
    return operate(invocation, lambda context: flow(context, name=name))


def _exec(invocation: Invocation, name: str, command: str) -> int:
    refuse_together(invocation, "raw", "interactive")
    reuse = invocation.options["reuse"]
    if invocation.options["interactive"]:
        return in_terminal(
            invocation,
            lambda context: accessory_exec.interactive(context, name=name, command=command, reuse=reuse),
        )
    options = invocation.own("reuse", "raw")
    return operate(invocation, lambda context: accessory_exec.exec_(context, name=name, command=command, **options))


def _logs(invocation: Invocation, name: str) -> int:
    options = log_options(invocation)
    if invocation.options["follow"]:
        return in_terminal(invocation, lambda context: accessory_logs.following(context, name=name, **options))
    return operate(invocation, lambda context: accessory_logs.logs(context, name=name, **options))
