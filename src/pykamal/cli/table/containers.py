"""The commands of containers on the hosts: `app`, `accessory` and `proxy`."""

from __future__ import annotations

from pykamal.cli.options import (
    CONFIRMED,
    INTERACTIVE,
    KEEP_DATA,
    LOGS,
    PROXY_LOGS,
    RAW,
    REUSE,
    ROLLING,
    UPGRADE_PROXY,
    Kind,
    Option,
    flag,
    number,
    text,
)
from pykamal.cli.table.row import CommandRow, Conflict, Effect


def _flow(
    path: str,
    module: str,
    summary: str,
    effect: Effect,
    arguments: str = "",
    *,
    hidden: bool = False,
    takes_all: bool = False,
    uses_secrets: bool = False,
) -> CommandRow:
    """A command whose flow is the function of its name in a module of its group's package in `operations`."""
    group, _, name = path.partition(" ")
    handler = f"operations.{group}.{module}:{name}"
    return CommandRow(
        path, summary, handler, effect, arguments, hidden=hidden, takes_all=takes_all, uses_secrets=uses_secrets
    )


RAW_ALONE = Conflict("raw", ("interactive",))

ACCESSORY = (
    _flow(
        "accessory boot",
        "lifecycle",
        "Start a new accessory (all: every one)",
        Effect.LOCKED,
        "NAME",
        takes_all=True,
        uses_secrets=True,
    ),
    _flow(
        "accessory details",
        "lifecycle",
        "Show an accessory's containers (all: of every one)",
        Effect.LOOKS,
        "NAME",
        takes_all=True,
    ),
    CommandRow(
        "accessory exec",
        "Run a command in an accessory's container",
        "cli.handlers.exec:accessory_exec",
        Effect.CHANGES,
        "NAME COMMAND...",
        (INTERACTIVE, REUSE, RAW),
        conflicts=(RAW_ALONE,),
        passes_options=True,
        uses_secrets=True,
    ),
    _flow("accessory directories", "parts", "Make its directories", Effect.LOCKED, "NAME", hidden=True),
    CommandRow(
        "accessory logs",
        "Show an accessory's log lines",
        "cli.handlers.logs:accessory_logs",
        Effect.LOOKS,
        "NAME",
        LOGS,
    ),
    _flow("accessory pull_image", "parts", "Pull its image", Effect.LOCKED, "NAME", hidden=True, uses_secrets=True),
    _flow(
        "accessory reboot",
        "lifecycle",
        "Replace an accessory's container (all: every one)",
        Effect.LOCKED,
        "NAME",
        takes_all=True,
        uses_secrets=True,
    ),
    CommandRow(
        "accessory remove",
        "Remove an accessory with its data (all: every one)",
        "cli.handlers.removal:accessory_remove",
        Effect.LOCKED,
        "NAME",
        (CONFIRMED, KEEP_DATA),
        takes_all=True,
    ),
    _flow("accessory remove_container", "parts", "Remove its stopped container", Effect.LOCKED, "NAME", hidden=True),
    _flow("accessory remove_image", "parts", "Remove its image", Effect.LOCKED, "NAME", hidden=True),
    _flow(
        "accessory remove_service_directory",
        "parts",
        "Remove its files and directories",
        Effect.LOCKED,
        "NAME",
        hidden=True,
    ),
    _flow("accessory restart", "lifecycle", "Stop and start an accessory's container", Effect.LOCKED, "NAME"),
    _flow("accessory start", "lifecycle", "Start an accessory's container", Effect.LOCKED, "NAME"),
    _flow("accessory stop", "lifecycle", "Stop an accessory's container", Effect.LOCKED, "NAME"),
    CommandRow(
        "accessory upgrade",
        "Move an accessory from Kamal 1 to Kamal 2 (all: every one)",
        "operations.accessory.lifecycle:upgrade",
        Effect.LOCKED,
        "NAME",
        (ROLLING, CONFIRMED),
        question="This will restart all accessories",
        takes_all=True,
        uses_secrets=True,
    ),
    _flow(
        "accessory upload",
        "parts",
        "Bring its files to the servers",
        Effect.LOCKED,
        "NAME",
        hidden=True,
        uses_secrets=True,
    ),
)

APP = (
    _flow(
        "app boot", "lifecycle", "Start the app, or replace its running containers", Effect.LOCKED, uses_secrets=True
    ),
    _flow("app containers", "lifecycle", "List the app's containers", Effect.LOOKS),
    _flow("app details", "lifecycle", "Show the app's running containers", Effect.LOOKS),
    CommandRow(
        "app exec",
        "Run a command in the app's container",
        "cli.handlers.exec:app_exec",
        Effect.CHANGES,
        "COMMAND...",
        (
            INTERACTIVE,
            REUSE,
            Option("env", "Set variables in the environment of the command", "e", Kind.PAIRS, "KEY:VALUE..."),
            flag("detach", "Leave the command running in the background"),
            RAW,
        ),
        conflicts=(Conflict("detach", ("interactive", "reuse")), Conflict("raw", ("interactive", "detach"))),
        passes_options=True,
        uses_secrets=True,
    ),
    _flow("app images", "lifecycle", "List the app's images", Effect.LOOKS),
    _flow("app live", "lifecycle", "End the maintenance mode", Effect.LOCKED),
    CommandRow(
        "app logs",
        "Show the app's log lines",
        "cli.handlers.logs:app_logs",
        Effect.LOOKS,
        options=(*LOGS, text("container-id", "ID", "Show lines of this container")),
    ),
    CommandRow(
        "app maintenance",
        "Answer every request with the maintenance page",
        "operations.app.lifecycle:maintenance",
        Effect.LOCKED,
        options=(
            number("drain-timeout", "SECONDS", "Give running requests this long to finish (default: drain_timeout)"),
            text("message", "TEXT", "Show this text on the page"),
        ),
    ),
    _flow("app remove", "removal", "Remove the app's containers and images", Effect.LOCKED),
    _flow("app remove_app_directories", "removal", "Remove the app's files on the servers", Effect.LOCKED, hidden=True),
    _flow("app remove_container", "removal", "Remove a version's container", Effect.LOCKED, "VERSION", hidden=True),
    _flow("app remove_containers", "removal", "Remove the app's stopped containers", Effect.LOCKED, hidden=True),
    _flow("app remove_images", "removal", "Remove the app's images", Effect.LOCKED, hidden=True),
    CommandRow(
        "app stale_containers",
        "Find running containers of versions that were replaced",
        "operations.app.lifecycle:stale_containers",
        Effect.LOCKED,
        options=(flag("stop", "Stop these containers", "s"),),
        looks_without="stop",
    ),
    _flow("app start", "lifecycle", "Start the app's container", Effect.LOCKED),
    _flow("app stop", "lifecycle", "Stop the app's container", Effect.LOCKED),
    _flow("app version", "lifecycle", "Show which version runs", Effect.LOOKS),
)

BOOT_CONFIG = (
    flag("publish", "Publish the ports on the servers (the default)", default=True),
    Option(
        "publish-host-ip", "Publish the ports on this address only; may be repeated", kind=Kind.REPEATED, value="IP"
    ),
    number("http-port", "N", "Listen for HTTP on this port", default=80),
    number("https-port", "N", "Listen for HTTPS on this port", default=443),
    text("log-max-size", "SIZE", "Limit the size of the container's log; empty for no limit", default="10m"),
    text("registry", "SERVER", "Take the image from this registry (default: Docker Hub)"),
    text("repository", "NAME", "Take the image from this repository (default: basecamp)"),
    text("image-version", "TAG", "Take this version of the image"),
    number("metrics-port", "N", "Serve metrics on this port"),
    flag("debug", "Log debug messages"),
    Option("docker-options", "Options of `docker run`, without dashes", kind=Kind.WORDS, value="KEY=VALUE..."),
)
OUTAGE = "This will cause a brief outage on each host. Are you sure?"

PROXY = (
    CommandRow(
        "proxy boot",
        "Start the proxy",
        "operations.proxy.lifecycle:boot",
        Effect.LOCKED,
        options=(UPGRADE_PROXY,),
        uses_secrets=True,
    ),
    CommandRow(
        "proxy boot_config",
        "Set, show or reset the options of the proxy's start (deprecated: use proxy/run)",
        "cli.handlers.boot_config:boot_config",
        Effect.CHANGES,
        "set|get|reset",
        BOOT_CONFIG,
    ),
    CommandRow(
        "proxy build",
        "Build the image of pykamal's own proxy and bring it to the servers that lack it",
        "operations.proxy.proxy_image:build",
        Effect.LOGGED,
        ours=True,
    ),
    _flow("proxy details", "lifecycle", "Show the proxy's container", Effect.LOOKS),
    CommandRow(
        "proxy logs", "Show the proxy's log lines", "cli.handlers.logs:proxy_logs", Effect.LOOKS, options=PROXY_LOGS
    ),
    CommandRow(
        "proxy reboot",
        "Replace the proxy's container",
        "operations.proxy.lifecycle:reboot",
        Effect.LOCKED,
        options=(ROLLING, CONFIRMED, flag("force", "Reboot even if other projects behind the proxy lose settings")),
        question=OUTAGE,
        uses_secrets=True,
    ),
    CommandRow(
        "proxy remove",
        "Remove the proxy's container and image",
        "operations.proxy.lifecycle:remove",
        Effect.LOCKED,
        options=(flag("force", "Remove the proxy even if apps are installed behind it"),),
    ),
    _flow("proxy remove_container", "lifecycle", "Remove the stopped proxy", Effect.LOCKED, hidden=True),
    _flow("proxy remove_image", "lifecycle", "Remove the proxy's image", Effect.LOCKED, hidden=True),
    _flow("proxy remove_proxy_directory", "lifecycle", "Remove the proxy's files", Effect.LOCKED, hidden=True),
    _flow("proxy restart", "lifecycle", "Stop and start the proxy's container", Effect.LOCKED),
    _flow("proxy start", "lifecycle", "Start the proxy's container", Effect.LOCKED),
    _flow("proxy stop", "lifecycle", "Stop the proxy's container", Effect.LOCKED),
    CommandRow(
        "proxy upgrade",
        "Replace Traefik by kamal-proxy",
        "operations.upgrade:upgrade_proxy",
        Effect.LOCKED,
        options=(ROLLING, CONFIRMED),
        question=OUTAGE,
        hidden=True,
        uses_secrets=True,
    ),
)
