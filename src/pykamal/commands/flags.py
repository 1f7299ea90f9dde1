"""Flags that several areas share: log driver, label filters, name filters, terminals."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pykamal.commands.command import Command, query
from pykamal.commands.words import Expanded, Raw, Word, key_values, options, single_quoted
from pykamal.config.models.logging import Logging
from pykamal.config.models.role import Role
from pykamal.config.models.service import Config

Interactive: TypeAlias = Literal["tty", "stdin"]
"""`tty` when the operator's standard input is a terminal, else `stdin` (spec/cli.md 14.4)."""


def log_flags(logging: Logging) -> list[Word]:
    """Driver and options; 10 MB of Docker's default driver when neither is given (spec/config.md 13)."""
    named = logging.driver is not None and logging.driver is not False and str(logging.driver).strip()
    if not named and not logging.options:
        return key_values("--log-opt", {"max-size": "10m"})
    driver = [] if logging.driver is None else options({"log-driver": logging.driver})
    return [*driver, *key_values("--log-opt", logging.options)]


def label_filters(config: Config, role: Role | None = None) -> list[Word]:
    """Containers of the service at its destination, of one role or of all (spec/cli.md 14.2).

    Without a destination the filter has an empty value, so that other destinations' containers stay out.
    """
    words: list[Word] = [*service_filter(config.service), "--filter", f"label=destination={config.destination or ''}"]
    return words if role is None else [*words, "--filter", f"label=role={role.name}"]


def service_filter(service: str) -> list[Word]:
    return ["--filter", f"label=service={service}"]


def name_filter(name: str) -> list[Word]:
    """The container of exactly that name."""
    return ["--filter", f"name=^{name}$"]


def terminal_flags(interactive: Interactive | None) -> list[Word]:
    match interactive:
        case "tty":
            return ["-it"]
        case "stdin":
            return ["-i"]
    return []


def matching_lines(pattern: str, options: str | None = None, *, double_quotes: bool = False) -> Command:
    """The filter behind log commands; `options` are flags as the user wrote them."""
    quoted = Expanded(pattern) if double_quotes else single_quoted(pattern)
    more = [Raw(options)] if options else []
    return query("grep", quoted, *more)


def container_logs(
    name: str,
    *,
    since: str | None,
    lines: int | None,
    grep: str | None,
    grep_options: str | None = None,
    timestamps: bool,
    follow: bool,
) -> Command:
    """The log of a container of that name, both streams in one; following starts with the last 10 lines by default."""
    tail = 10 if follow and lines is None and since is None else lines
    parts: dict[str, list[Word]] = {
        "timestamps": ["--timestamps"] if timestamps else [],
        "since": ["--since", since] if since else [],
        "tail": ["--tail", str(tail)] if tail is not None else [],
    }
    order = ("timestamps", "since", "tail") if follow else ("since", "tail", "timestamps")
    words = [word for part in order for word in parts[part]] + (["--follow"] if follow else [])
    shown = query("docker", "logs", name, *words).redirected("2>&1")
    return shown | matching_lines(grep, grep_options, double_quotes=follow) if grep else shown
