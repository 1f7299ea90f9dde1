"""A small world in memory for loading configurations: files, environment and the output of shell lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pykamal.config import load
from pykamal.config.models import Config
from pykamal.core.errors import ConfigurationError
from pykamal.secrets.dotenv import parse


@dataclass
class World:
    """`files` by path below the working directory; `shell` maps each line that may be run to its output."""

    files: dict[str, str | bytes] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    shell: dict[str, str] = field(default_factory=dict)
    working_directory: Path = Path("/work place")

    def read_bytes(self, path: Path, limit: int) -> bytes:
        name = (
            str(path.relative_to(self.working_directory)) if path.is_relative_to(self.working_directory) else str(path)
        )
        if name == "." or any(known.startswith(f"{name}/") for known in self.files):
            raise IsADirectoryError(name)
        if name not in self.files:
            raise FileNotFoundError(name)
        content = self.files[name]
        return (content if isinstance(content, bytes) else content.encode())[:limit]

    def file_names(self, directory: Path) -> Sequence[str]:
        prefix = "" if directory == self.working_directory else f"{directory.relative_to(self.working_directory)}/"
        return [name.removeprefix(prefix) for name in self.files if name.startswith(prefix)]

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        return self.shell[line]

    @property
    def host_name(self) -> str:
        return "machine"

    def run_with_status(self, line: str, environment: Mapping[str, str]) -> tuple[str, int]:
        return self.run_shell(line, environment), 0

    def parse_dotenv(self, text: str, environment: Mapping[str, str], file: str) -> Mapping[str, str]:
        return parse(text, substitute=lambda line: self.shell[line], environment=environment, file=file)


def loaded(text: str, *, destination: str | None = None, world: World | None = None) -> Config:
    """The configuration of a deploy.yml with this text."""
    world = world or World()
    world.files["config/deploy.yml"] = text
    return load(destination=destination, system=world)


def refused(text: str, *, destination: str | None = None, world: World | None = None) -> ConfigurationError:
    """The error that a deploy.yml with this text ends in."""
    try:
        config = loaded(text, destination=destination, world=world)
    except ConfigurationError as error:
        return error
    raise AssertionError(f"accepted: {config}")
