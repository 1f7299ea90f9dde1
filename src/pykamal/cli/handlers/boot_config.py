"""`kamal proxy boot_config set|get|reset`: how a proxy is started, as kept on its host (spec/cli.md 14.7)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.cli.table import command_row
from pykamal.core.errors import UsageError
from pykamal.operations.proxy import boot_config as operation


def boot_config(invocation: Invocation) -> int:
    match invocation.arguments[0]:
        case "set":
            options = invocation.own(*command_row(invocation.command).flow_options)
            more = options.pop("docker_options")
            settings = operation.settings(**options)
            return operate(invocation, lambda context: operation.store(context, settings, docker_options=more))
        case "get":
            return operate(invocation, operation.show)
        case "reset":
            return operate(invocation, operation.reset)
        case other:
            raise UsageError(f"Unknown boot_config subcommand {other}", hint="use set, get or reset")
