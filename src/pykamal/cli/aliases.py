"""Aliases of deploy.yml: a word that stands for a command line (spec/cli.md 10)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pykamal.cli.safe_reading import read_root
from pykamal.core.errors import UsageError

if TYPE_CHECKING:
    from pykamal.config.document import MapNode

DEFAULT_CONFIG: Final = "config/deploy.yml"


def expand(name: str, words: Sequence[str]) -> list[str] | None:
    """The words of the alias, read from the configuration that `-c` and `-d` among the words behind it select.

    None where there is no such alias, or no configuration: that is found out without running anything of the files.
    Raises `ConfigurationError` for files that cannot be read.
    """
    path = Path(selected(words, "-c", "--config-file") or DEFAULT_CONFIG)
    destination = selected(words, "-d", "--destination")
    if name not in alias_lines(read_root(path, destination)):
        return None
    from pykamal.config.load import load_document
    from pykamal.operations.local.system import LocalSystem

    line = alias_lines(load_document(path, destination=destination, system=LocalSystem()).root).get(name)
    if line is None:
        return None
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"Alias {name} cannot be split into words: {error}", hint=f"it is: {line}") from error


def alias_lines(root: MapNode | None) -> dict[str, str]:
    """Names and command lines of the aliases (spec/config.md 15)."""
    if root is None:
        return {}
    from pykamal.config.reading import entries, text

    return {name: line for name, node in entries(root.get("aliases")) if (line := text(node)) is not None}


def selected(words: Sequence[str], short: str, long: str) -> str | None:
    """The last value of an option among words that are not parsed yet."""
    value = None
    for position, word in enumerate(words):
        name, equals, given = word.partition("=")
        if name == short or name.replace("_", "-") == long:
            value = given if equals else next(iter(words[position + 1 :]), None)
    return value
