"""Every command, as data: help, resolution of names and parsing read this table and import no command."""

from __future__ import annotations

from dataclasses import dataclass

from pykamal.cli.options import GLOBAL, PLAN, Kind, Option, flag, number, text


@dataclass(frozen=True, slots=True)
class Entry:
    """One command. `path` is its full name (`app boot`), `module` the verb below `pykamal.cli.verbs` that runs it
    (none for `help` and `tree`, which routing answers).

    `arguments` is their usage text: `[NAME]` may be left out, `NAME...` takes what is left. `passes_options` hands
    unknown options on with the arguments (exec). `changes` tells that it changes servers or files. A command without
    `needs_project` never reads deploy.yml, nor does the completion of its options.
    """

    path: str
    summary: str
    module: str
    arguments: str = ""
    options: tuple[Option, ...] = ()
    changes: bool = False
    hidden: bool = False
    passes_options: bool = False
    needs_project: bool = True

    @property
    def group(self) -> str | None:
        return self.path.rpartition(" ")[0] or None

    @property
    def name(self) -> str:
        return self.path.rpartition(" ")[2]

    @property
    def logged(self) -> bool:
        """Whether `output` of deploy.yml keeps a log of it (column M of spec/cli.md 12)."""
        return self.changes and self.path not in _NOT_LOGGED and self.group not in _GROUPS_NOT_LOGGED

    @property
    def usage(self) -> str:
        """Name, required options and arguments, as help shows them."""
        required = [option.forms[-1] for option in self.options if option.required]
        return " ".join([self.path, *required, self.arguments]).rstrip()

    @property
    def least_arguments(self) -> int:
        return sum(not word.startswith("[") for word in self.arguments.split())

    @property
    def most_arguments(self) -> int | None:
        """None: any number."""
        return None if "..." in self.arguments else len(self.arguments.split())

    @property
    def command_at(self) -> int | None:
        """The number of the argument with which a command line to run begins; None where there is none."""
        words = [word.strip("[]") for word in self.arguments.split()]
        return words.index("COMMAND...") if self.passes_options else None

    @property
    def all_options(self) -> tuple[Option, ...]:
        """Its own, then the global ones that it does not use for itself."""
        own = {option.name for option in self.options}
        return (*self.options, *(option for option in GLOBAL if option.name not in own))


_GROUPS_NOT_LOGGED = frozenset({"build", "lock", "registry", "sandbox"})
_NOT_LOGGED = frozenset({"accessory exec", "app exec", "init", "proxy boot_config", "server exec"})

CONFIRMED = flag("confirmed", "Do it without asking", "y")
KEEP_DATA = flag("keep-data", "Leave the data directories of accessories on the servers")
ROLLING = flag("rolling", "One host after another instead of all at once")
NO_CACHE = flag("no-cache", "Build without the cache of earlier builds")
BUILDING = (flag("skip-push", "Use the image that is in the registry, build none", "P"), NO_CACHE)
UPGRADE_PROXY = flag("upgrade-proxy", "Replace a proxy that is too old, without asking")
SKIP_PLACES = (flag("skip-local", "Leave this machine out", "L"), flag("skip-remote", "Leave the servers out", "R"))
RAW = flag("raw", "Write the output as it comes, without headings and messages")
INTERACTIVE = flag("interactive", "Run it in this terminal, over SSH (consoles, shells)", "i")
REUSE = flag("reuse", "Run it in the running container instead of a new one")
SINCE = text("since", "TIME", "Lines since a time (2013-01-02T13:23:37Z) or for a while (42m)", "s")
LINES = number("lines", "N", "At most so many lines of each server", "n")
GREP = text("grep", "PATTERN", "Only lines with a match", "g")
GREP_OPTIONS = text("grep-options", "OPTIONS", "More options for grep")
FOLLOW = flag("follow", "Keep showing lines of the primary host as they are written", "f")
SKIP_TIMESTAMPS = flag("skip-timestamps", "Lines without the time at their start", "T")
LOGS = (SINCE, LINES, GREP, GREP_OPTIONS, FOLLOW, SKIP_TIMESTAMPS)
PROXY_LOGS = (SINCE, LINES, GREP, FOLLOW, SKIP_TIMESTAMPS)
RESOLVED = flag("resolved", "The files as they are after templating and merging")
EXPLAIN = text("explain", "KEY", "What a key such as proxy/app_port is, and where it was set")
STRICT = flag("strict", "With `validate`: count warnings as errors")
SAFE = flag("safe", "Run no command of the files and hide the environment from them, for files of others")
PASS_ENV = Option(
    "pass-env", "With --safe: show templates this variable; may be repeated", kind=Kind.REPEATED, value="NAME"
)
REPORT = text(
    "output", "FORM", "Readable text, JSON, or SARIF for `validate`", default="text", choices=("text", "json", "sarif")
)
ENV = Option("env", "Environment of the command", "e", Kind.PAIRS, "KEY:VALUE...")

BOOT_CONFIG = (
    flag("publish", "Publish the ports on the servers (the default)", default=True),
    Option("publish-host-ip", "Only on this address; may be repeated", kind=Kind.REPEATED, value="IP"),
    number("http-port", "N", "For HTTP", default=80),
    number("https-port", "N", "For HTTPS", default=443),
    text("log-max-size", "SIZE", "Of the container's log; empty for no limit", default="10m"),
    text("registry", "SERVER", "Where the image comes from (Docker Hub)"),
    text("repository", "NAME", "Whose kamal-proxy it is (basecamp)"),
    text("image-version", "TAG", "Which version of it"),
    number("metrics-port", "N", "Serve metrics on this port"),
    flag("debug", "Log more"),
    Option("docker-options", "Options of `docker run`, without dashes", kind=Kind.WORDS, value="KEY=VALUE..."),
)

GROUPS: dict[str, str] = {
    "accessory": "Databases, caches and other services beside the app",
    "app": "The application's containers",
    "build": "The application's image",
    "lock": "The deploy lock",
    "proxy": "The proxy that switches traffic",
    "prune": "What old deploys left behind",
    "registry": "Logging in to the image registry",
    "sandbox": "Throwaway servers on this machine, for trying a deploy",
    "secrets": "Secrets of the configuration",
    "server": "The servers themselves",
}

TOP = (
    Entry("audit", "Show the servers' audit logs", "audit"),
    Entry(
        "completion",
        "Print the script that completes command lines in a shell",
        "completion",
        "bash|zsh|fish",
        needs_project=False,
    ),
    Entry(
        "config",
        "Show the combined configuration, secrets redacted; or `validate` it, or print its JSON `schema` for editors",
        "config",
        "[validate|schema]",
        options=(RESOLVED, EXPLAIN, STRICT, SAFE, PASS_ENV, REPORT),
    ),
    Entry(
        "deploy",
        "Build the image and switch the servers to it",
        "deploy",
        options=(*BUILDING, UPGRADE_PROXY, PLAN),
        changes=True,
    ),
    Entry("details", "Show every container of the app, its proxy and accessories", "details"),
    Entry("docs", "Show what deploy.yml can hold, or one section of it", "docs", "[SECTION]", needs_project=False),
    Entry("help", "Show the commands, or one of them", "", "[COMMAND...]", needs_project=False),
    Entry(
        "init",
        "Write a first config/deploy.yml for this project, .kamal/secrets and sample hooks",
        "init",
        options=(flag("bundle", "Add Ruby Kamal to the Gemfile and create a bin/kamal binstub"),),
        changes=True,
        needs_project=False,
    ),
    Entry(
        "redeploy",
        "Deploy without touching the proxy",
        "deploy",
        options=(*BUILDING, PLAN),
        changes=True,
    ),
    Entry(
        "remove",
        "Remove the app, its proxy and accessories with their data",
        "remove",
        options=(CONFIRMED, KEEP_DATA),
        changes=True,
    ),
    Entry(
        "rollback",
        "Switch back to a deployed version, or to the one that begins so; without one, list those there are",
        "rollback",
        "[VERSION]",
        (PLAN,),
        changes=True,
    ),
    Entry(
        "setup",
        "Prepare new servers, boot accessories and deploy",
        "deploy",
        options=(*BUILDING, UPGRADE_PROXY, PLAN),
        changes=True,
    ),
    Entry("tree", "Show the commands as a tree", "", needs_project=False),
    Entry("upgrade", "Move servers from Kamal 1 to Kamal 2", "upgrade", options=(ROLLING, CONFIRMED), changes=True),
    Entry("version", "Show the version", "version", needs_project=False),
)

ACCESSORY = (
    Entry("accessory boot", "Start a new accessory (all: every one)", "accessory", "NAME", changes=True),
    Entry("accessory details", "Show an accessory's containers (all: of every one)", "accessory", "NAME"),
    Entry(
        "accessory exec",
        "Run a command in an accessory's container",
        "accessory",
        "NAME COMMAND...",
        (INTERACTIVE, REUSE, RAW),
        changes=True,
        passes_options=True,
    ),
    Entry("accessory directories", "Make its directories", "accessory", "NAME", changes=True, hidden=True),
    Entry("accessory logs", "Show an accessory's log lines", "accessory", "NAME", LOGS),
    Entry("accessory pull_image", "Pull its image", "accessory", "NAME", changes=True, hidden=True),
    Entry("accessory reboot", "Replace an accessory's container (all: every one)", "accessory", "NAME", changes=True),
    Entry(
        "accessory remove",
        "Remove an accessory with its data (all: every one)",
        "accessory",
        "NAME",
        (CONFIRMED, KEEP_DATA),
        changes=True,
    ),
    Entry("accessory remove_container", "Remove its stopped container", "accessory", "NAME", changes=True, hidden=True),
    Entry("accessory remove_image", "Remove its image", "accessory", "NAME", changes=True, hidden=True),
    Entry(
        "accessory remove_service_directory",
        "Remove its files and directories",
        "accessory",
        "NAME",
        changes=True,
        hidden=True,
    ),
    Entry("accessory restart", "Stop and start an accessory's container", "accessory", "NAME", changes=True),
    Entry("accessory start", "Start an accessory's container", "accessory", "NAME", changes=True),
    Entry("accessory stop", "Stop an accessory's container", "accessory", "NAME", changes=True),
    Entry(
        "accessory upgrade",
        "Move an accessory from Kamal 1 to Kamal 2 (all: every one)",
        "accessory",
        "NAME",
        (ROLLING, CONFIRMED),
        changes=True,
    ),
    Entry("accessory upload", "Bring its files to the servers", "accessory", "NAME", changes=True, hidden=True),
)

APP = (
    Entry("app boot", "Start the app, or replace what runs", "app", options=(PLAN,), changes=True),
    Entry("app containers", "List the app's containers", "app"),
    Entry("app details", "Show the app's running containers", "app"),
    Entry(
        "app exec",
        "Run a command in the app's container",
        "app_exec",
        "COMMAND...",
        (INTERACTIVE, REUSE, ENV, flag("detach", "Leave it running in the background"), RAW),
        changes=True,
        passes_options=True,
    ),
    Entry("app images", "List the app's images", "app"),
    Entry("app live", "End maintenance", "app", changes=True),
    Entry(
        "app logs",
        "Show the app's log lines",
        "app_logs",
        options=(*LOGS, text("container-id", "ID", "Of this container")),
    ),
    Entry(
        "app maintenance",
        "Answer every request with the maintenance page",
        "app",
        options=(
            number("drain-timeout", "SECONDS", "Let running requests finish so long (drain_timeout of deploy.yml)"),
            text("message", "TEXT", "What the page says"),
        ),
        changes=True,
    ),
    Entry("app remove", "Remove the app's containers and images", "app", changes=True),
    Entry("app remove_app_directories", "Remove the app's files on the servers", "app", changes=True, hidden=True),
    Entry("app remove_container", "Remove a version's container", "app", "VERSION", changes=True, hidden=True),
    Entry("app remove_containers", "Remove the app's stopped containers", "app", changes=True, hidden=True),
    Entry("app remove_images", "Remove the app's images", "app", changes=True, hidden=True),
    Entry(
        "app stale_containers",
        "Find running containers of versions that were replaced",
        "app",
        options=(flag("stop", "Stop them", "s"),),
        changes=True,
    ),
    Entry("app start", "Start the app's container", "app", changes=True),
    Entry("app stop", "Stop the app's container", "app", changes=True),
    Entry("app version", "Show which version runs", "app"),
)

BUILD_OUTPUT = "Where the image goes, as in `buildx --output`"

BUILD = (
    Entry("build create", "Make the builder", "build", changes=True),
    Entry("build deliver", "Build and push the image, pull it on the servers", "build", changes=True),
    Entry("build details", "Show the builder", "build"),
    Entry(
        "build dev",
        "Build the working directory as it is into an image of this machine, tagged as dirty",
        "build",
        options=(text("output", "TYPE", BUILD_OUTPUT, default="docker"), NO_CACHE),
        changes=True,
    ),
    Entry("build pull", "Pull the image on the servers", "build", options=(PLAN,), changes=True),
    Entry(
        "build push",
        "Build the image and push it to the registry",
        "build",
        options=(text("output", "TYPE", BUILD_OUTPUT, default="registry"), NO_CACHE, PLAN),
        changes=True,
    ),
    Entry("build remove", "Remove the builder", "build", changes=True),
)

LOCK = (
    Entry(
        "lock acquire",
        "Take the deploy lock",
        "lock",
        options=(text("message", "TEXT", "Why, for those who find it taken", "m", required=True),),
        changes=True,
    ),
    Entry("lock release", "Give the deploy lock back", "lock", changes=True),
    Entry("lock status", "Show who holds the deploy lock", "lock"),
)

PROXY = (
    Entry("proxy boot", "Start the proxy", "proxy", options=(UPGRADE_PROXY, PLAN), changes=True),
    Entry(
        "proxy boot_config",
        "Set, show or forget how the proxy is started (deprecated: proxy/run of deploy.yml)",
        "proxy",
        "set|get|reset",
        BOOT_CONFIG,
        changes=True,
    ),
    Entry(
        "proxy build",
        "Build the image of pykamal's own proxy and bring it to the servers that lack it",
        "proxy",
        options=(PLAN,),
        changes=True,
    ),
    Entry("proxy details", "Show the proxy's container", "proxy"),
    Entry("proxy logs", "Show the proxy's log lines", "proxy", options=PROXY_LOGS),
    Entry(
        "proxy reboot",
        "Replace the proxy's container",
        "proxy",
        options=(ROLLING, CONFIRMED, flag("force", "Although other projects behind it lose settings"), PLAN),
        changes=True,
    ),
    Entry(
        "proxy remove",
        "Remove the proxy's container and image",
        "proxy",
        options=(flag("force", "Although apps are installed behind it"),),
        changes=True,
    ),
    Entry("proxy remove_container", "Remove the stopped proxy", "proxy", changes=True, hidden=True),
    Entry("proxy remove_image", "Remove the proxy's image", "proxy", changes=True, hidden=True),
    Entry("proxy remove_proxy_directory", "Remove the proxy's files", "proxy", changes=True, hidden=True),
    Entry("proxy restart", "Stop and start the proxy's container", "proxy", changes=True),
    Entry("proxy start", "Start the proxy's container", "proxy", changes=True),
    Entry("proxy stop", "Stop the proxy's container", "proxy", changes=True),
    Entry(
        "proxy upgrade",
        "Replace Traefik by kamal-proxy",
        "proxy",
        options=(ROLLING, CONFIRMED),
        changes=True,
        hidden=True,
    ),
)

PRUNE = (
    Entry("prune all", "Remove old containers and unused images", "prune", changes=True),
    Entry(
        "prune containers",
        "Remove stopped containers but the newest",
        "prune",
        options=(number("retain", "N", "Keep so many (retain_containers of deploy.yml)"),),
        changes=True,
    ),
    Entry("prune images", "Remove unused images", "prune", changes=True),
)

REGISTRY = (
    Entry("registry login", "Log in here and on the servers", "registry", options=SKIP_PLACES, changes=True),
    Entry("registry logout", "Log out here and on the servers", "registry", options=SKIP_PLACES, changes=True),
    Entry(
        "registry remove",
        "Log out here and on the servers, or remove this machine's own registry",
        "registry",
        options=SKIP_PLACES,
        changes=True,
    ),
    Entry(
        "registry setup",
        "Log in here and on the servers, or start this machine's own registry",
        "registry",
        options=SKIP_PLACES,
        changes=True,
    ),
)

NAME = text("name", "NAME", "Which sandbox", default="default")

SANDBOX = (
    Entry(
        "sandbox down",
        "Remove the servers and all that is on them",
        "sandbox",
        options=(NAME,),
        changes=True,
        needs_project=False,
    ),
    Entry(
        "sandbox env",
        "Print the variables with which kamal and docker work on it",
        "sandbox",
        options=(NAME,),
        needs_project=False,
    ),
    Entry(
        "sandbox ssh",
        "Log in to a server",
        "sandbox",
        "HOST [COMMAND...]",
        (NAME,),
        passes_options=True,
        needs_project=False,
    ),
    Entry("sandbox status", "Show the servers", "sandbox", options=(NAME,), needs_project=False),
    Entry(
        "sandbox up",
        "Make servers with Docker and a registry, and a deploy.yml for them where there is none",
        "sandbox",
        options=(number("hosts", "N", "How many servers", default=2), NAME),
        changes=True,
        needs_project=False,
    ),
)

INLINE = flag("inline", "As `$(kamal secrets ...)` in a secrets file gets it")

SECRETS = (
    Entry(
        "secrets extract",
        "Print one value out of what `fetch` printed",
        "secrets",
        "NAME JSON",
        (INLINE,),
        needs_project=False,
    ),
    Entry(
        "secrets fetch",
        "Print secrets of a password manager as JSON",
        "secrets",
        "[NAME...]",
        (
            text("adapter", "ADAPTER", "Which password manager", "a", required=True),
            text("account", "ACCOUNT", "Whom to log in as, where the manager has accounts"),
            text("from", "PATH", "Vault, folder or project that the names are in"),
            INLINE,
        ),
        needs_project=False,
    ),
    Entry("secrets print", "Print every secret, unmasked", "secrets"),
)

SERVER = (
    Entry("server bootstrap", "Install Docker where it is missing", "server", changes=True),
    Entry(
        "server exec",
        "Run a command on the servers",
        "server",
        "COMMAND...",
        (INTERACTIVE, RAW),
        changes=True,
        passes_options=True,
    ),
)

OURS = frozenset({"completion", "proxy build", "sandbox"})
"""Commands that Ruby Kamal does not have. What begins the name of another command too abbreviates that one."""

COMMANDS: tuple[Entry, ...] = (
    *TOP,
    *ACCESSORY,
    *APP,
    *BUILD,
    *LOCK,
    *PROXY,
    *PRUNE,
    *REGISTRY,
    *SANDBOX,
    *SECRETS,
    *SERVER,
)


def entry(path: str) -> Entry:
    return next(entry for entry in COMMANDS if entry.path == path)


def within(group: str | None) -> tuple[Entry, ...]:
    """The commands of a group, or those of the top level, by name."""
    return tuple(sorted((entry for entry in COMMANDS if entry.group == group), key=lambda entry: entry.name))


def top_names() -> tuple[str, ...]:
    return tuple(sorted([*GROUPS, *(entry.name for entry in within(None))]))


def paths_named(name: str) -> tuple[str, ...]:
    """The visible commands of groups that have this name: `logs` gives `accessory logs`, `app logs`, `proxy logs`."""
    return tuple(
        entry.path for entry in COMMANDS if entry.name == name and entry.group is not None and not entry.hidden
    )
