"""The commands of images, registries, hosts and secrets: `build`, `lock`, `prune`, `registry`, `sandbox`, `secrets` and
`server`.
"""

from __future__ import annotations

from pykamal.cli.options import INTERACTIVE, NO_CACHE, RAW, REPORT, Kind, Option, flag, number, text
from pykamal.cli.table.row import CommandRow, Conflict, Effect


def _export(default: str) -> Option:
    return Option(
        "output",
        "Where the image goes, as in `buildx --output`",
        kind=Kind.TEXT,
        value="TYPE",
        default=default,
        not_json="its --output is Docker's, such as registry, docker or local",
    )


BUILD = (
    CommandRow("build create", "Make the builder", "operations.images.builders:create", Effect.CHANGES, connects=False),
    CommandRow(
        "build deliver",
        "Build and push the image, pull it on the servers",
        "operations.images.build:deliver",
        Effect.CHANGES,
        uses_secrets=True,
    ),
    CommandRow("build details", "Show the builder", "operations.images.builders:details", Effect.LOOKS, connects=False),
    CommandRow(
        "build dev",
        "Build an image on this machine from the working directory, tagged as dirty",
        "operations.images.dev:dev",
        Effect.CHANGES,
        options=(_export("docker"), NO_CACHE),
        connects=False,
        uses_secrets=True,
    ),
    CommandRow(
        "build pull",
        "Pull the image on the servers",
        "operations.images.pull:pull",
        Effect.CHANGES,
        uses_secrets=True,
    ),
    CommandRow(
        "build push",
        "Build the image and push it to the registry",
        "operations.images.build:push",
        Effect.CHANGES,
        options=(_export("registry"), NO_CACHE),
        connects=False,
        uses_secrets=True,
    ),
    CommandRow(
        "build remove", "Remove the builder", "operations.images.builders:remove", Effect.CHANGES, connects=False
    ),
)

LOCK = (
    CommandRow(
        "lock acquire",
        "Take the deploy lock",
        "operations.hosts.lock:acquire",
        Effect.CHANGES,
        options=(text("message", "TEXT", "Show this reason to others who find the lock taken", "m", required=True),),
    ),
    CommandRow("lock release", "Give the deploy lock back", "operations.hosts.lock:release", Effect.CHANGES),
    CommandRow("lock status", "Show who holds the deploy lock", "operations.hosts.lock:status", Effect.LOOKS),
)

PRUNE = (
    CommandRow(
        "prune all", "Remove old containers and unused images", "operations.hosts.prune:prune_all", Effect.LOCKED
    ),
    CommandRow(
        "prune containers",
        "Remove stopped containers except the newest",
        "operations.hosts.prune:prune_containers",
        Effect.LOCKED,
        options=(number("retain", "N", "Keep this many containers (default: retain_containers)"),),
    ),
    CommandRow("prune images", "Remove unused images", "operations.hosts.prune:prune_images", Effect.LOCKED),
)


def _registry(name: str, summary: str, *, uses_secrets: bool = False) -> CommandRow:
    """A command of the registry. Hosts are connected to when their turn comes: a local registry needs none of them."""
    nothing = "--skip-local and --skip-remote together leave nothing to do"
    return CommandRow(
        f"registry {name}",
        summary,
        f"operations.images.registry:{name}",
        Effect.CHANGES,
        options=(
            flag("skip-local", "Skip this machine", "L"),
            flag("skip-remote", "Skip the servers", "R"),
        ),
        conflicts=(Conflict("skip_local", ("skip_remote",), nothing),),
        connects=False,
        uses_secrets=uses_secrets,
    )


REGISTRY = (
    _registry("login", "Log in here and on the servers", uses_secrets=True),
    _registry("logout", "Log out here and on the servers"),
    _registry("remove", "Log out here and on the servers, or remove this machine's own registry"),
    _registry("setup", "Log in here and on the servers, or start this machine's own registry", uses_secrets=True),
)


def _sandbox(
    name: str, summary: str, effect: Effect, arguments: str = "", *options: Option, passes_options: bool = False
) -> CommandRow:
    return CommandRow(
        f"sandbox {name}",
        summary,
        f"cli.handlers.sandbox:{name}",
        effect,
        arguments,
        (*options, text("name", "NAME", "Name of the sandbox", default="default")),
        passes_options=passes_options,
        needs_project=False,
        ours=True,
    )


SANDBOX = (
    _sandbox("down", "Remove the servers with everything on them", Effect.CHANGES),
    _sandbox("env", "Print the environment variables for kamal and docker", Effect.LOOKS),
    _sandbox("ssh", "Log in to a server", Effect.LOOKS, "HOST [COMMAND...]", passes_options=True),
    _sandbox("status", "Show the servers", Effect.LOOKS),
    _sandbox(
        "up",
        "Make servers with Docker and a registry, and write a deploy.yml if there is none",
        Effect.CHANGES,
        "",
        number("hosts", "N", "Number of servers", default=2),
    ),
)

INLINE = flag("inline", "As `$(kamal secrets ...)` in a secrets file gets it")

SECRETS = (
    CommandRow(
        "secrets check",
        "Fetch every secret that deploy.yml names, and list those that fail",
        "cli.handlers.secrets:check",
        Effect.LOOKS,
        options=(flag("strict", "Count warnings as errors"), REPORT),
        ours=True,
    ),
    CommandRow(
        "secrets diff",
        "List the secrets on the servers that differ from their current values",
        "cli.handlers.secrets_on_hosts:diff",
        Effect.LOOKS,
        ours=True,
        uses_secrets=True,
    ),
    CommandRow(
        "secrets doctor",
        "Show which secret managers can be used on this machine",
        "cli.handlers.secrets_doctor:doctor",
        Effect.LOOKS,
        ours=True,
    ),
    CommandRow(
        "secrets extract",
        "Print one value out of what `fetch` printed",
        "cli.handlers.secrets:extract",
        Effect.LOOKS,
        "NAME JSON",
        (INLINE,),
        needs_project=False,
    ),
    CommandRow(
        "secrets fetch",
        "Print secrets of a password manager as JSON",
        "cli.handlers.secrets:fetch",
        Effect.LOOKS,
        "[NAME...]",
        (
            text("adapter", "ADAPTER", "Which password manager", "a", required=True),
            text("account", "ACCOUNT", "Whom to log in as, where the manager has accounts"),
            text("from", "PATH", "Vault, folder or project that the names are in"),
            INLINE,
        ),
        needs_project=False,
    ),
    CommandRow(
        "secrets rotate",
        "Reboot every container that uses these secrets with their current values",
        "cli.handlers.secrets_on_hosts:rotate",
        Effect.LOCKED,
        "NAME...",
        ours=True,
        uses_secrets=True,
    ),
    CommandRow(
        "secrets scan",
        "Search files, the history and the image for leaked secrets",
        "cli.handlers.secrets_scan:scan",
        Effect.LOOKS,
        options=(
            text("image", "IMAGE", "Search this image of this machine (default: that of the version, if it is there)"),
            text("since", "COMMIT", "Search the history behind this commit (default: the last deploy from here)"),
            flag("strict", "Count warnings as errors"),
            REPORT,
        ),
        ours=True,
    ),
    CommandRow("secrets print", "Print every secret, unmasked", "cli.handlers.secrets:print_all", Effect.LOOKS),
)

SERVER = (
    CommandRow(
        "server bootstrap", "Install Docker where it is missing", "operations.hosts.server:bootstrap", Effect.LOCKED
    ),
    CommandRow(
        "server exec",
        "Run a command on the servers",
        "cli.handlers.exec:server_exec",
        Effect.CHANGES,
        "COMMAND...",
        (INTERACTIVE, RAW),
        conflicts=(Conflict("raw", ("interactive",)),),
        passes_options=True,
    ),
)
