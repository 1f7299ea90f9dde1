"""Options as data: their names, their values and their help (spec/cli.md 1.3, 1.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The values that an option takes."""

    FLAG = "flag"
    """Nothing; `--no-NAME` and `--skip-NAME` turn it off."""
    TEXT = "text"
    NUMBER = "number"
    PAIRS = "pairs"
    """Words of the form `key:value`, as many as follow."""
    WORDS = "words"
    """Words up to the next option, as many as follow."""
    REPEATED = "repeated"
    """A value; given several times, several."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option. `name` is the long name without dashes, `value` the name of its value in help, `choices` every value
    it may have. `not_json` is the reason for which `--output` of a command is no format of its output.
    """

    name: str
    help: str
    short: str | None = None
    kind: Kind = Kind.FLAG
    value: str = ""
    default: str | int | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    not_json: str = ""

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")

    @property
    def forms(self) -> tuple[str, ...]:
        """As help shows it: `-d, --destination NAME`."""
        long = f"--{self.name} {self.value}".rstrip()
        return (f"-{self.short}", long) if self.short else (long,)


def flag(name: str, text: str, short: str | None = None, *, default: bool = False) -> Option:
    return Option(name, text, short, default=default or None)


def text(
    name: str,
    value: str,
    about: str,
    short: str | None = None,
    *,
    default: str | None = None,
    required: bool = False,
    choices: tuple[str, ...] = (),
) -> Option:
    return Option(name, about, short, Kind.TEXT, value, default, required, choices)


def number(name: str, value: str, about: str, short: str | None = None, *, default: int | None = None) -> Option:
    return Option(name, about, short, Kind.NUMBER, value, default)


OUTPUT = text("output", "FORM", "Readable text, or one JSON object a line", default="text", choices=("text", "json"))
REPORT = text(
    "output",
    "FORM",
    "Readable text, JSON, SARIF, or annotations of GitHub or GitLab",
    default="text",
    choices=("text", "json", "sarif", "github", "gitlab"),
)
PLAN = flag("plan", "Print the steps of the command without running them")

GLOBAL: tuple[Option, ...] = (
    flag("verbose", "Show every command's output", "v"),
    flag("quiet", "Show errors and results only", "q"),
    text("version", "VERSION", "Act on this version of the app"),
    flag("primary", "Act on the primary host only", "p"),
    text("hosts", "LIST", "Act on these hosts: a list with commas, * is a wildcard", "h"),
    text("roles", "LIST", "Act on these roles: a list with commas, * is a wildcard", "r"),
    text("config-file", "PATH", "The configuration file", "c", default="config/deploy.yml"),
    text("destination", "NAME", "Also read the destination's file (staging: deploy.staging.yml)", "d"),
    flag("skip-hooks", "Run no hooks", "H"),
    flag("lock-wait", "Wait until the deploy lock is free"),
    number("lock-wait-timeout", "SECONDS", "Wait at most this long for the lock", default=900),
    number("lock-wait-interval", "SECONDS", "Wait this long between two attempts to take the lock", default=15),
    OUTPUT,
    flag("debug", "Show tracebacks of errors"),
)
"""Accepted by every command, in any place behind it."""

OURS = frozenset({"output", "debug"})
"""Those of them that Ruby Kamal does not have. Behind the first word of a command line to run they are its own."""

# -- options of several commands

CONFIRMED = flag("confirmed", "Answer yes to the question of the command", "y")
UPGRADE_PROXY = flag("upgrade-proxy", "Replace a proxy that is too old without asking")
OUTSIDE_OF_FLOWS = (CONFIRMED, PLAN, UPGRADE_PROXY)
"""Answered before a flow starts, or part of the settings of its context: not handed to it by name."""

KEEP_DATA = flag("keep-data", "Leave the data directories of accessories on the servers")
ROLLING = flag("rolling", "Work on one host after another instead of all at once")
NO_CACHE = flag("no-cache", "Build without the cache of earlier builds")
BUILDING = (flag("skip-push", "Deploy the image in the registry without building one", "P"), NO_CACHE)
RAW = flag("raw", "Print the output unchanged, without headings and messages")
INTERACTIVE = flag("interactive", "Run the command in this terminal over SSH, for consoles and shells", "i")
REUSE = flag("reuse", "Use the running container instead of a new one")
PROXY_LOGS = (
    text("since", "TIME", "Show lines since a time (2013-01-02T13:23:37Z) or for a duration (42m)", "s"),
    number("lines", "N", "Show at most this many lines of each server", "n"),
    text("grep", "PATTERN", "Show only lines that match", "g"),
    flag("follow", "Keep showing new lines of the primary host", "f"),
    flag("skip-timestamps", "Show lines without their time", "T"),
)
LOGS = (*PROXY_LOGS[:3], text("grep-options", "OPTIONS", "Pass more options to grep"), *PROXY_LOGS[3:])
