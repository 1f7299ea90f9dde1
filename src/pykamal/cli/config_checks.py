"""Warnings about a valid configuration, from this machine's files or for `config validate` alone."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from pykamal.cli.entry import COMPLETE
from pykamal.cli.table import top_names
from pykamal.config.document import MapNode, Node, ScalarNode
from pykamal.config.models import Config
from pykamal.config.node_reading import child, text
from pykamal.config.secret_names import SecretUse, secret_uses
from pykamal.config.yaml_reader import MAXIMUM_FILE_BYTES
from pykamal.core.catalogue.files import MISSING_SECRET, MISSING_SSH_CONFIG
from pykamal.core.catalogue.settings import HIDDEN_ALIAS, PLACEHOLDER_VALUE
from pykamal.core.diagnostics import Diagnostic, Location
from pykamal.core.file_reading import read_regular
from pykamal.core.source import Position
from pykamal.core.spelling import nearest
from pykamal.erb.errors import TemplateError
from pykamal.erb.tags import PartKind, parts
from pykamal.secrets.store import Secrets

_VARIABLE: Final = re.compile(r"""\bENV(?:\[|\.\w+\??)[\s(]*["'](\w+)["']""")
_PLACEHOLDERS: Final = {
    ("service",): "my-app",
    ("image",): "my-user/my-app",
    ("servers", "web"): "192.168.0.1",
    ("proxy", "host"): "app.example.com",
    ("registry", "username"): "my-user",
}
"""Values of the deploy.yml that `kamal init` writes, by path."""


def mention(name: str, path: Path, destination: str | None) -> Position | None:
    """Find a word in the configuration's files: its first place there, comments aside."""
    word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    for file in _files(path, destination):
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
            found = word.search(line.partition("#")[0])
            if found is not None:
                return Position(str(file), number, found.start() + 1)
    return None


def hidden_variables(path: Path, destination: str | None, visible: Container[str]) -> dict[str, Position]:
    """List variables that the templates of the files name and are not to see, each with its first place."""
    hidden: dict[str, Position] = {}
    for file in _files(path, destination):
        with suppress(OSError, TemplateError):
            source = read_regular(file.expanduser(), MAXIMUM_FILE_BYTES).decode("utf-8", "replace")
            for tag in parts(source):
                for found in _VARIABLE.finditer(tag.text) if tag.kind is not PartKind.TEXT else ():
                    if found[1] not in visible:
                        line = source.count("\n", 0, tag.offset + found.start()) + 1
                        hidden.setdefault(found[1], Position(str(file), line, 1))
    return hidden


def _files(path: Path, destination: str | None) -> list[Path]:
    return [path] if destination is None else [path.with_name(f"{path.stem}.{destination}.yml"), path]


def missing_ssh_files(config: Config) -> Iterator[Diagnostic]:
    """Warn of each file of `ssh/config` that is not there, since connections are made without it."""
    if not isinstance(config.ssh.config, tuple):
        return
    node = child(config.document, "ssh", "config")
    for file in config.ssh.config:
        if not Path(file).expanduser().is_file():
            message = f"ssh/config: there is no file {file}; connections are made without it"
            yield MISSING_SSH_CONFIG.diagnostic(message, Location(node.position if node else None, "ssh/config"))


def hidden_aliases(config: Config) -> Iterator[Diagnostic]:
    """Warn of each alias that Ruby Kamal accepts and that has the name of a command here.

    The command wins: shells evaluate what `completion` prints, which must not depend on the working directory.
    """
    for name in config.aliases:
        if name in top_names() or name == COMPLETE:
            node = child(config.document, "aliases", name)
            message = f"the alias {name} never runs, as there is a command of that name; rename it"
            yield HIDDEN_ALIAS.diagnostic(message, Location(node.position if node else None, f"aliases/{name}"))


def undefined_secrets(config: Config, secrets: Secrets) -> Iterator[Diagnostic]:
    """Warn of each secret that the configuration names and no secrets file defines. Nothing in them is run."""
    uses: dict[str, SecretUse] = {}
    for use in secret_uses(config):
        uses.setdefault(use.name, use)
    for name in secrets.missing(uses):
        message = f"the secret {name} is not defined in {' or '.join(secrets.files)}"
        near = nearest(name, secrets.defined())
        meant = f"Did you mean {near}?" if near is not None else None
        location = Location(uses[name].position, uses[name].setting)
        yield MISSING_SECRET.diagnostic(message, location, remedy=meant)


def placeholders(config: Config) -> Iterator[Diagnostic]:
    """Warn of each value that `kamal init` wrote to be replaced."""
    for path, placeholder in _PLACEHOLDERS.items():
        setting = "/".join(path)
        for node in _values(child(config.document, *path)):
            if text(node) == placeholder:
                message = f"{setting}: {placeholder} is what `kamal init` wrote; replace it"
                yield PLACEHOLDER_VALUE.diagnostic(message, Location(node.position, setting))


def _values(node: Node | None) -> Iterator[ScalarNode]:
    match node:
        case ScalarNode():
            yield node
        case None | MapNode():
            return
        case _:
            yield from (item for item in node.items if isinstance(item, ScalarNode))
