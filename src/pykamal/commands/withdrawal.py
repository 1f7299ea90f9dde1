"""Commands that stop a new container after an interrupted deploy."""

from __future__ import annotations

from pykamal.commands import app, proxy
from pykamal.commands.command import Command, query
from pykamal.commands.words import Output, joined
from pykamal.config.models.role import Role


def stop_unless_serving(role: Role, version: str) -> Command:
    """Stop a version's container (kept for inspection), unless the proxy already sends it traffic.

    The proxy is asked, because it finishes a switch that has begun even when its client is gone
    (spec/proxy.md 2).
    """
    stop = app.stop(role, version)
    if role.proxy is None:
        return stop
    target = joined(Output(app.container_id(role, version)), f":{role.proxy.app_port}")
    serving = proxy.list_services() | query("grep", "-qF", target)
    return serving.or_(stop).failing_allowed()
