"""Looks up aliases of deploy.yml, which are words that stand for a command line (spec/cli.md 10)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pykamal.cli.option_tokens import tokens
from pykamal.cli.options import GLOBAL
from pykamal.cli.safe_reading import read_root
from pykamal.core.errors import UsageError

if TYPE_CHECKING:
    from pykamal.config.document import MapNode

DEFAULT_CONFIG: Final = "config/deploy.yml"


def expand(name: str, words: Sequence[str]) -> list[str] | None:
    """Return the words of an alias of the configuration that `-c` and `-d` among the words behind it select.

    Returns None where there is no such alias, or no configuration, and runs nothing of the files to find that out, nor
    where the words ask for help. Raises `ConfigurationError` for files that cannot be read.
    """
    config_file, destination = selected_files(words)
    path = Path(config_file or DEFAULT_CONFIG)
    line = alias_lines(read_root(path, destination)).get(name)
    if line is not None and not asks_for_help(words):
        from pykamal.config.load import load_document
        from pykamal.operations.local.local_system import LocalSystem

        line = alias_lines(load_document(path, destination=destination, system=LocalSystem()).root).get(name)
    if line is None:
        return None
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"Alias {name} cannot be split into words: {error}", hint=f"it is: {line}") from error


def asks_for_help(words: Sequence[str]) -> bool:
    """Return True where `--help` is among unparsed words; behind `--` it is a word of the command's own."""
    return "--help" in words[: words.index("--") if "--" in words else None]


def alias_lines(root: MapNode | None) -> dict[str, str]:
    """Return the names and command lines of the aliases (spec/config.md 15)."""
    if root is None:
        return {}
    from pykamal.config.node_reading import entries, text

    return {name: line for name, node in entries(root.get("aliases")) if (line := text(node)) is not None}


def selected_files(words: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the configuration file and the destination that words select before their command is known."""
    values = {token.option.name: token.value for token in tokens(words, GLOBAL) if token.option is not None}
    return values.get("config-file"), values.get("destination")
