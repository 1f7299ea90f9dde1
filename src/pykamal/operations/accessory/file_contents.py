"""The contents of an accessory's files, templates rendered (spec/config.md 9.4)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pykamal.commands.words import text_of
from pykamal.config.models import Accessory, File
from pykamal.config.system import System
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive


class Lookup(Protocol):
    def __getitem__(self, name: str) -> Sensitive: ...


@dataclass(frozen=True, slots=True)
class Content:
    """The content to upload. A rendered template is never shown; it `holds_secrets` when it looked at one."""

    data: bytes | Sensitive
    holds_secrets: bool = False


def content(accessory: Accessory, file: File, secrets: Lookup, system: System) -> Content:
    """The content of a file. A template sees the accessory's own variables in ENV, secrets included.

    Raises KamalError for a file that is not there and ConfigurationError for a template that cannot be rendered.
    """
    path = system.working_directory / file.local
    if path.is_dir():
        raise KamalError(
            f"{_absolute(path)} is a directory",
            hint=f"name its files one by one in accessories/{accessory.name}/files",
        )
    if not path.is_file():
        raise KamalError(f"Missing file: {_absolute(path)}", hint=f"accessories/{accessory.name}/files names it")
    read = path.read_bytes()
    if not file.template:
        return Content(read)
    from pykamal.config.config_template import Templates

    environment = _Environment({**system.environment, **_clear(accessory)}, _secrets(accessory, secrets))
    text = Templates(environment, system).render(file.local, _decoded(read, file), yaml=False).text
    return Content(Sensitive(text), holds_secrets=environment.used_secrets)


def _absolute(path: Path) -> str:
    """The path for people: as it is written, for links may lead in a circle."""
    return os.path.abspath(path)  # noqa: PTH100 - pathlib has nothing that leaves links alone


def _decoded(read: bytes, file: File) -> str:
    try:
        return read.decode()
    except UnicodeDecodeError as error:
        raise KamalError(f"{file.local} is not UTF-8: {error}", hint="a template has to be text in UTF-8") from error


def _clear(accessory: Accessory) -> Mapping[str, str]:
    return {name: "" if value is None else text_of(value) for name, value in accessory.env.clear.items()}


def _secrets(accessory: Accessory, secrets: Lookup) -> Mapping[str, str]:
    return {each.name: secrets[each.secret].reveal() for each in accessory.env.secret_references}


class _Environment(dict[str, str]):
    """ENV of a template, which remembers whether it was asked for the value of a secret, alone or with all others."""

    def __init__(self, clear: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        super().__init__({**clear, **secrets})
        self._secrets = frozenset(secrets)
        self.used_secrets = False

    def __getitem__(self, name: str) -> str:
        self.used_secrets |= name in self._secrets
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.used_secrets |= name in self._secrets
        return super().get(name, default)

    def pop(self, name: str, default: Any = None) -> Any:
        self.used_secrets |= name in self._secrets
        return super().pop(name, default)

    def __iter__(self) -> Iterator[str]:  # also what makes a copy ask for each value
        self.used_secrets |= bool(self._secrets)
        return super().__iter__()
