"""The command line as data: every subcommand with its flags (spec/proxy.md 3)."""

from __future__ import annotations

from pykamal.proxy.contract import DEPLOY, PAUSE, RUN, SPLIT, STOP, TARGETS, Setting
from pykamal.proxy.durations import format_duration
from pykamal.proxy.runtime_paths import data_directory


class Command:
    """One subcommand: its words, its help line, how many arguments it takes, and its flags."""

    __slots__ = ("arguments", "flags", "one_of", "required", "summary", "words")

    def __init__(
        self,
        words: str,
        summary: str,
        *,
        arguments: int = 1,
        flags: tuple[Setting, ...] = (),
        required: tuple[str, ...] = (),
        one_of: tuple[str, ...] = (),
    ) -> None:
        self.words = words
        self.summary = summary
        self.arguments = arguments
        self.flags = flags
        self.required = required
        self.one_of = one_of


COMMANDS = (
    Command("deploy", "Deploy a target host", flags=DEPLOY, required=("target",)),
    Command("list", "List the services that are being proxied", arguments=0),
    Command("pause", "Hold a service's requests", flags=PAUSE),
    Command("remove", "Remove a service"),
    Command("resume", "Resume a paused or stopped service"),
    Command("rollout deploy", "Deploy a rollout target host", flags=TARGETS, required=("target",)),
    Command("rollout set", "Set which traffic goes to the rollout target", flags=SPLIT, one_of=("percent", "list")),
    Command("rollout stop", "Send no traffic to the rollout target"),
    Command("run", "Run the server", arguments=0, flags=RUN),
    Command("stop", "Answer a service's requests with a maintenance page", flags=STOP),
)
ALIASES = {"rm": "remove", "ls": "list"}


def default_acme_cache_path() -> str:
    """`--tls-acme-cache-path` unless given; computed by the client (spec/proxy.md 2)."""
    return f"{data_directory()}/certs"


def default_text(kind: str, default: object) -> str:
    """` (default 30s)` for the help, empty where the default says nothing."""
    if kind == "duration" and isinstance(default, int):
        return f" (default {format_duration(default)})"
    if default in ((), "", False, 0, -1):
        return ""
    return f" (default {'true' if default is True else default})"
