"""Docker flags that several modules share: log driver, label filters, name filters, terminals."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pykamal.commands.words import Word, key_values, options
from pykamal.config.models.logging import Logging
from pykamal.config.models.role import Role
from pykamal.config.models.service import Config

Interactive: TypeAlias = Literal["tty", "stdin"]
"""`tty` when the operator's standard input is a terminal, else `stdin` (spec/cli.md 14.4)."""


def log_flags(logging: Logging) -> list[Word]:
    """Return log driver and options; by default 10 MB of Docker's default driver (spec/config.md 13)."""
    named = logging.driver is not None and logging.driver is not False and str(logging.driver).strip()
    if not named and not logging.options:
        return key_values("--log-opt", {"max-size": "10m"})
    driver = [] if logging.driver is None else options({"log-driver": logging.driver})
    return [*driver, *key_values("--log-opt", logging.options)]


def label_filters(config: Config, role: Role | None = None) -> list[Word]:
    """Return filters for the service's containers at its destination, of one role or of all (spec/cli.md 14.2).

    Without a destination the filter has an empty value, so that other destinations' containers stay out.
    """
    words: list[Word] = [*service_filter(config.service), "--filter", f"label=destination={config.destination or ''}"]
    return words if role is None else [*words, "--filter", f"label=role={role.name}"]


def service_filter(service: str) -> list[Word]:
    return ["--filter", f"label=service={service}"]


def name_filter(name: str) -> list[Word]:
    """Return the filter for the container of exactly that name."""
    return ["--filter", f"name=^{name}$"]


def terminal_flags(interactive: Interactive | None) -> list[Word]:
    match interactive:
        case "tty":
            return ["-it"]
        case "stdin":
            return ["-i"]
    return []
