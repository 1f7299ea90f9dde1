"""`kamal accessory ...` (spec/cli.md 12.3)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.loading import load
from pykamal.cli.option_values import command_line, log_selection, refuse_together
from pykamal.cli.prompt import NOT_CONFIRMED, confirmed, refuse_unasked
from pykamal.cli.runner import follow, in_terminal, operate, selected
from pykamal.operations.accessory import lifecycle, logs, parts
from pykamal.operations.accessory.exec import exec_, interactive

_FLOWS = {
    "boot": lifecycle.boot,
    "details": lifecycle.details,
    "directories": parts.directories,
    "pull_image": parts.pull_image,
    "reboot": lifecycle.reboot,
    "remove_container": parts.remove_container,
    "remove_image": parts.remove_image,
    "remove_service_directory": parts.remove_service_directory,
    "restart": lifecycle.restart,
    "start": lifecycle.start,
    "stop": lifecycle.stop,
    "upload": parts.upload,
}


def run(invocation: Invocation) -> int:
    name, *words = invocation.arguments
    match invocation.name:
        case "exec":
            return _exec(invocation, name, command_line(words, literal=min(invocation.literal, len(words))))
        case "logs":
            return _logs(invocation, name)
        case "remove":
            return _remove(invocation, name)
        case "upgrade":
            if not confirmed(invocation, "This will restart all accessories"):
                return NOT_CONFIRMED
            options = invocation.own("rolling")
            return operate(invocation, lambda context: lifecycle.upgrade(context, name=name, **options))
    flow = _FLOWS[invocation.name]
    return operate(invocation, lambda context: flow(context, name=name))


def _remove(invocation: Invocation, name: str) -> int:
    """An unknown name is for the operation to refuse; there is nothing to ask about."""
    refuse_unasked(invocation)
    loaded, options = load(invocation), invocation.own("keep_data")
    selection = selected(invocation, loaded.config)
    chosen = [each for each in loaded.config.accessories if name in ("all", each.name) and selection.hosts_of(each)]
    what = "containers and images" if options["keep_data"] else "containers, images and data directories"
    where = "; ".join(f"{each.service} on {', '.join(selection.hosts_of(each))}" for each in chosen)
    if chosen and not confirmed(invocation, f"This will remove all {what} for {name} ({where}). Are you sure?"):
        return NOT_CONFIRMED
    return operate(invocation, lambda context: lifecycle.remove(context, name=name, **options), loaded=loaded)


def _exec(invocation: Invocation, name: str, command: str) -> int:
    refuse_together(invocation, "raw", "interactive")
    reuse = invocation.options["reuse"]
    if invocation.options["interactive"]:
        return in_terminal(
            invocation,
            lambda context: interactive(context, name=name, command=command, reuse=reuse),
        )
    options = invocation.own("reuse", "raw")
    return operate(invocation, lambda context: exec_(context, name=name, command=command, **options))


def _logs(invocation: Invocation, name: str) -> int:
    selection = log_selection(invocation)
    if invocation.options["follow"]:
        return follow(invocation, lambda context: logs.following(context, selection, name=name))
    return operate(invocation, lambda context: logs.logs(context, selection, name=name))
