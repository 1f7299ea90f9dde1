"""Loading of deploy.yml and of a destination's file into a Config (spec/config.md 1)."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pykamal.config.document import Document, MapNode, Node, merged
from pykamal.config.system import System
from pykamal.config.yaml_reader import MAXIMUM_FILE_BYTES, MAXIMUM_NODES
from pykamal.core.catalogue.files import (
    FILE_NOT_FOUND,
    FILE_TOO_LARGE,
    FILE_UNREADABLE,
    INVALID_ENCODING,
    NOT_A_MAPPING,
)
from pykamal.core.diagnostics import Location
from pykamal.core.errors import ConfigurationError, configuration_error
from pykamal.core.source import Position
from pykamal.erb.rendered import Rendered

if TYPE_CHECKING:
    from pykamal.config.config_template import Templates
    from pykamal.config.models.service import Config
    from pykamal.erb.budget import Limits

DEFAULT_PATH: Final = Path("config/deploy.yml")


def load(path: Path = DEFAULT_PATH, *, destination: str | None = None, system: System) -> Config:
    """Load and validate the configuration of one destination.

    Raises ConfigurationError with every diagnostic; `label` is the class that Ruby Kamal names for the first.
    """
    from pykamal.config.decoding import build_config
    from pykamal.config.validation import validate

    document = load_document(path, destination=destination, system=system)
    incomplete = None if destination is not None else _forgotten(destinations(_base(path, system), system))
    validate(document, destination, system, incomplete)
    return build_config(document, destination)


def load_document(
    path: Path = DEFAULT_PATH,
    *,
    destination: str | None = None,
    system: System,
    templates: bool = True,
    limits: Limits | None = None,
) -> Document:
    """Render, parse and merge the files, without validating them. `limits` hold for their templates together.

    Without `templates` nothing is evaluated: what a tag would print is a placeholder, and what it would do is left out.
    """
    environment = {key: value for key, value in system.environment.items() if key != "KAMAL_DESTINATION"}
    if destination is not None:
        environment["KAMAL_DESTINATION"] = destination
    before = dict(environment)
    base = _base(path, system)
    renderer = _renderer(environment, system, limits) if templates else _unrendered
    document = _read(base, renderer, system, missing=NO_FILE)
    if destination is not None:
        missing = _unknown_destination(destination, destinations(base, system))
        over = _read(destination_path(base, destination), renderer, system, missing=missing)
        document = _merged(document, over)
    loaded = {key: value for key, value in environment.items() if before.get(key) != value}
    return Document(document.root, document.lines, document.warnings, loaded)


def _base(path: Path, system: System) -> Path:
    return Path(os.path.normpath(system.working_directory / _expanded(path)))


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # nobody has that name; the file is then looked for under the `~` itself
        return path


def destination_path(base: Path, destination: str) -> Path:
    """The base path with its last extension replaced: config/deploy.yml and staging give config/deploy.staging.yml."""
    return base.parent / f"{base.stem}.{destination}.yml"


def destinations(base: Path, system: System) -> tuple[str, ...]:
    """The destinations that have a file beside the base file, sorted by name."""
    found = (re.fullmatch(rf"{re.escape(base.stem)}\.(.+)\.yml", name) for name in system.file_names(base.parent))
    return tuple(sorted(match[1] for match in found if match is not None))


def _forgotten(known: Sequence[str]) -> str | None:
    """Advice where a configuration without a destination is refused although there are destinations."""
    if not known:
        return None
    return f"This project has destinations, and none was chosen: add {' or '.join(f'-d {name}' for name in known)}."


def _unknown_destination(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    if not known:
        return "Write that file (what it has counts before deploy.yml, {} is nothing), or leave out -d."
    near = get_close_matches(name, known, n=1)
    meant = f"Did you mean -d {near[0]}? " if near else ""
    return f"{meant}There are {', '.join(known)}; a new one is a file of its own ({{}} is one that changes nothing)."


def _merged(base: Document, over: Document) -> Document:
    root = merged(base.root, over.root)
    if root.size > MAXIMUM_NODES:
        message = f"more than {MAXIMUM_NODES} keys and values, aliases expanded"
        raise configuration_error(FILE_TOO_LARGE, message, Location(over.root.position))
    return Document(root, {**base.lines, **over.lines}, (*base.warnings, *over.warnings))


NO_FILE = "`kamal init` writes one; `-c FILE` names another."


Renderer = Callable[[str, Path, str], Rendered]
"""Renders a file, given its name for people, its path and its text."""


def _read(path: Path, renderer: Renderer, system: System, *, missing: str) -> Document:
    """`missing` is the advice where there is no such file."""
    from pykamal.config.yaml_reader import read_yaml

    name = _shown(path, system.working_directory)
    source = _source(path, name, system, missing)
    rendered = renderer(name, path, source) if "<%" in source else Rendered.untouched(name, source)
    root, warnings = read_yaml(rendered)
    if rendered.dropped or rendered.printed:
        from pykamal.config.config_template import warnings as template_warnings

        warnings = [*template_warnings(rendered, root), *warnings]
    if not isinstance(root, MapNode):
        raise _not_a_mapping(root, rendered)
    return Document(_with_root_names(root), {name: rendered.source.split("\n")}, tuple(warnings))


def _renderer(environment: dict[str, str], system: System, limits: Limits | None) -> Renderer:
    templates: list[Templates] = []  # made for the first file that is one, and shared by all

    def render_file(name: str, path: Path, source: str) -> Rendered:
        from pykamal.config.config_template import Templates

        if not templates:
            templates.append(Templates(environment, system, limits))
        if environment.get("KAMAL_ERB") == "ruby":
            return templates[0].render_by_ruby(name, source, path)
        return templates[0].render(name, source, yaml=True)

    return render_file


def _unrendered(name: str, _path: Path, source: str) -> Rendered:
    from pykamal.config.config_template import without_tags

    return Rendered.untouched(name, without_tags(name, source))


def _source(path: Path, name: str, system: System, missing: str) -> str:
    try:
        content = system.read_bytes(path, MAXIMUM_FILE_BYTES + 1)
    except FileNotFoundError:
        message = f"Configuration file not found in {path}"
        raise configuration_error(FILE_NOT_FOUND, message, label="RuntimeError", hint=missing) from None
    except IsADirectoryError:
        message = f"Is a directory @ io_fread - {path}"
        raise configuration_error(FILE_UNREADABLE, message, label="Errno::EISDIR") from None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise configuration_error(FILE_UNREADABLE, message, label="Errno::EACCES") from None
    if len(content) > MAXIMUM_FILE_BYTES:
        message = f"{name} is larger than {MAXIMUM_FILE_BYTES} bytes, which is no configuration"
        raise configuration_error(FILE_TOO_LARGE, message)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        location = Location(Position(name, line, column))
        raise configuration_error(INVALID_ENCODING, f"{name} is not valid UTF-8", location) from None


def _shown(path: Path, working_directory: Path) -> str:
    return str(path.relative_to(working_directory)) if path.is_relative_to(working_directory) else str(path)


def _not_a_mapping(root: Node | None, rendered: Rendered) -> ConfigurationError:
    position = root.position if root is not None else Position(rendered.file)
    message = f"{rendered.file} must be a mapping of keys to values"
    hint = "Write {} for a file that sets nothing." if root is None else None
    location = Location.in_text(position, rendered.source)
    return configuration_error(NOT_A_MAPPING, message, location, label="NoMethodError", hint=hint)


def _with_root_names(root: MapNode) -> MapNode:
    """Keys of the root are names however they are written: `service` and `:service` are one key."""
    return MapNode({str(key): entry for key, entry in root.entries.items()}, root.position, root.size)
