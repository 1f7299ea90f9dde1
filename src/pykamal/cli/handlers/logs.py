"""`kamal app logs`, `accessory logs` and `proxy logs` (spec/cli.md 14.5)."""

from __future__ import annotations

import shlex

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import follow, operate
from pykamal.commands.logs import LogSelection
from pykamal.core.errors import UsageError
from pykamal.operations.accessory import logs as accessory
from pykamal.operations.app import logs as app
from pykamal.operations.proxy import lifecycle as proxy

_SELECTING = ("since", "lines", "grep", "grep_options")


def app_logs(invocation: Invocation) -> int:
    selection, container_id = _selection(invocation), invocation.own("container_id")
    if invocation.options["follow"]:
        return follow(invocation, lambda context: app.following(context, selection, **container_id))
    return operate(invocation, lambda context: app.logs(context, selection, **container_id))


def accessory_logs(invocation: Invocation) -> int:
    selection, (name,) = _selection(invocation), invocation.arguments
    if invocation.options["follow"]:
        return follow(invocation, lambda context: accessory.following(context, selection, name=name))
    return operate(invocation, lambda context: accessory.logs(context, selection, name=name))


def proxy_logs(invocation: Invocation) -> int:
    selection = _selection(invocation)
    if invocation.options["follow"]:
        return follow(invocation, lambda context: proxy.following(context, selection))
    return operate(invocation, lambda context: proxy.logs(context, selection))


def _selection(invocation: Invocation) -> LogSelection:
    """Read the selection of log lines from the options; a command may lack some of them. Raises `UsageError`."""
    given = [key for key in _SELECTING if key in invocation.options]
    try:
        shlex.split(invocation.options.get("grep_options") or "")
    except ValueError as error:
        raise UsageError(f"The value of --grep-options cannot be split into words: {error}") from error
    return LogSelection(**invocation.own(*given), timestamps=not invocation.options["skip_timestamps"])
