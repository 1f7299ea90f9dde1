"""Aliases of deploy.yml: a word that stands for a command line (spec/cli.md 10)."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from pykamal.core.errors import UsageError


def expand(name: str, words: Sequence[str]) -> list[str] | None:
    """The words of the alias, read from the configuration that `-c` and `-d` among the words behind it select.

    None where there is no such alias, or no configuration. Raises `ConfigurationError` for a file that cannot be read.
    """
    line = _aliases(selected(words, "-c", "--config-file"), selected(words, "-d", "--destination")).get(name)
    if line is None:
        return None
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"Alias {name} cannot be split into words: {error}", hint=f"it is: {line}") from error


def _aliases(config_file: str | None, destination: str | None) -> Mapping[str, str]:
    from pathlib import Path

    path = Path(config_file or "config/deploy.yml")
    if not path.expanduser().is_file():
        return {}
    from pykamal.config.load import load_aliases
    from pykamal.operations.local.system import LocalSystem

    return load_aliases(path, destination=destination, system=LocalSystem())


def selected(words: Sequence[str], short: str, long: str) -> str | None:
    """The last value of an option among words that are not parsed yet."""
    value = None
    for position, word in enumerate(words):
        name, equals, given = word.partition("=")
        if name == short or name.replace("_", "-") == long:
            value = given if equals else next(iter(words[position + 1 :]), None)
    return value
