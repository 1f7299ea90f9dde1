"""Prints what nothing uses, by vulture and its exceptions in pyproject.toml; `make lint` runs it.

Two kinds of names are used in strings alone, so they are looked up where they are: handlers, which rows of the table of
commands name, and rules of failures, whose identifiers the errors carry.
"""

from __future__ import annotations

from collections.abc import Iterator

from vulture import Vulture
from vulture.config import make_config

from pykamal.cli.table import COMMANDS
from pykamal.core.catalogue import failures
from pykamal.core.diagnostics import Rule
from pykamal.core.errors import KamalError


def handlers() -> Iterator[str]:
    """The functions that rows name."""
    for row in COMMANDS:
        yield row.handler.partition(":")[2]


def carried_rules() -> Iterator[str]:
    """The rules of failures whose identifier an error carries."""
    carried = {error.identifier for error in _with_subclasses(KamalError)}
    for name, value in vars(failures).items():
        if isinstance(value, Rule) and value.identifier in carried:
            yield name


def _with_subclasses(error: type[KamalError]) -> Iterator[type[KamalError]]:
    yield error
    for each in error.__subclasses__():
        yield from _with_subclasses(each)


def main() -> int:
    config = make_config()
    names = [*config["ignore_names"], *handlers(), *carried_rules()]
    vulture = Vulture(ignore_names=names, ignore_decorators=config["ignore_decorators"])
    vulture.scavenge(config["paths"])
    return int(vulture.report(min_confidence=config["min_confidence"]))


if __name__ == "__main__":
    raise SystemExit(main())
