"""The contents of an accessory's files, templates rendered (spec/config.md 9.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pykamal.commands.words import text_of
from pykamal.config.models import Accessory, File
from pykamal.config.system import System
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive


class Lookup(Protocol):
    def __getitem__(self, name: str) -> Sensitive: ...


def content(accessory: Accessory, file: File, secrets: Lookup, system: System) -> bytes | Sensitive:
    """The bytes to upload. A template sees the accessory's own variables in ENV, secrets included, and so is a secret.

    Raises KamalError for a file that is not there and ConfigurationError for a template that cannot be rendered.
    """
    path = system.working_directory / file.local
    if path.is_dir():
        raise KamalError(
            f"{path.resolve()} is a directory",
            hint=f"name its files one by one in accessories/{accessory.name}/files",
        )
    if not path.is_file():
        raise KamalError(f"Missing file: {path.resolve()}", hint=f"accessories/{accessory.name}/files names it")
    read = path.read_bytes()
    if not file.template:
        return read
    from pykamal.config.template import Templates

    environment = {**system.environment, **_variables(accessory, secrets)}
    return Sensitive(Templates(environment, system).render(file.local, _decoded(read, file)).text)


def _decoded(read: bytes, file: File) -> str:
    try:
        return read.decode()
    except UnicodeDecodeError as error:
        raise KamalError(f"{file.local} is not UTF-8: {error}", hint="a template has to be text in UTF-8") from error


def _variables(accessory: Accessory, secrets: Lookup) -> Mapping[str, str]:
    clear = {name: "" if value is None else text_of(value) for name, value in accessory.env.clear.items()}
    references = accessory.env.secret_references
    return {**clear, **{reference.name: secrets[reference.secret].reveal() for reference in references}}
