"""The `registry` section: the registry that images are pushed to and pulled from (spec/config.md 6)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name or password: the literal text, or the name of the secret that holds it."""

    literal: str | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Registry:
    server: str | None = None
    username: Credential | None = None
    password: Credential | None = None

    @property
    def local(self) -> bool:
        """A registry on the operator's machine, reached by hosts through SSH (spec/config.md 6.3)."""
        return self.server is not None and (self.server == "localhost$" or self.server.startswith("localhost:"))

    @property
    def docker_hub(self) -> bool:
        """Docker Hub, the only registry that the engine has mirrors for (`registry-mirrors` of its daemon.json).

        The part of an image's name before the first slash is a registry where it has a dot or a colon.
        """
        name = (self.server or "").partition("/")[0]
        return name in {"docker.io", "index.docker.io"} or not ("." in name or ":" in name or name == "localhost")

    @property
    def local_port(self) -> int | None:
        """The port of a local registry; digits after the last colon, 0 when there are none."""
        if not self.local or self.server is None:
            return None
        text = self.server.rpartition(":")[2]
        digits = text[: len(text) - len(text.lstrip("0123456789"))]
        return int(digits or 0)
