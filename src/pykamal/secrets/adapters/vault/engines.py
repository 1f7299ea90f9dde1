"""Reading from Vault: which engine a path belongs to, versions of KV, leases of generated credentials."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pykamal.core.answers import mapping
from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.http import Answer
from pykamal.secrets.adapters.lent_values import Lease
from pykamal.secrets.adapters.vault.answer_parts import data, document, not_understood
from pykamal.secrets.adapters.vault.server import Server

_STORED: Final = frozenset({"kv", "generic", "cubbyhole"})
_LEASE_ID: Final = re.compile(r"[!-~]{1,1000}")


@dataclass(frozen=True, slots=True)
class Mount:
    """The engine that a path belongs to. `path` ends with a slash."""

    path: str
    engine: str
    version_2: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The fields at a path, and the lease of generated ones."""

    fields: Mapping[str, Any] = field(repr=False)
    lease: Lease | None = None
    since: float = field(default_factory=time.monotonic)

    @property
    def until(self) -> float:
        """The time at which the lease ends, on the clock of `time.monotonic`."""
        return self.since + (self.lease.seconds if self.lease is not None else 0)

    def shortened(self, seconds: int) -> Found:
        """Return the same with a lease that ends at the latest after so many seconds."""
        if self.lease is None:
            return self
        return replace(self, lease=replace(self.lease, seconds=min(seconds, self.lease.seconds)))


def find_mounts(
    server: Server, paths: Sequence[str], pool: ThreadPoolExecutor, *, known: Iterable[Mount] = ()
) -> dict[str, Mount]:
    """Find the engine of each path. Engines lie side by side, never one in another, so one question for each is enough.

    What an engine's path is only the answer tells. First one question is asked for each first segment of the paths;
    where that is not yet the engine, one for each two segments, and so on.
    """
    found = {path: mount for path in paths for mount in known if f"{path}/".startswith(mount.path)}
    depth, left = 1, [path for path in paths if path not in found]
    while left:
        asked = list({tuple(path.split("/")[:depth]): path for path in reversed(left)}.values())
        mounts = list(pool.map(lambda path: _mount(server, path), asked))
        found |= {path: mount for path in left for mount in mounts if f"{path}/".startswith(mount.path)}
        left = [path for path in left if path not in found]
        depth += 1
    return found


def _mount(server: Server, path: str) -> Mount:
    answer = server.ask("GET", f"sys/internal/ui/mounts/{path}")
    server.check(answer, path, path)
    about = data(answer)
    mount, engine = about.get("path"), about.get("type")
    if not isinstance(mount, str) or not mount or not path.startswith(mount):
        raise not_understood()
    return Mount(
        mount, engine if isinstance(engine, str) else "kv", mapping(about.get("options")).get("version") == "2"
    )


def read(server: Server, path: str, mount: Mount) -> Found:
    """Return the fields at a path. Raises `KamalError` for what is not there, deleted or refused."""
    place = f"{mount.path}data/{path[len(mount.path) :]}" if mount.version_2 else path
    # Credentials that were generated for a lost answer would live on without anybody who knows of them.
    answer = server.ask("GET", place, repeatable=mount.engine in _STORED)
    if mount.version_2 and answer.status in {200, 404}:
        _check_version(data(answer), path)
    if answer.status == 400 and mount.engine not in _STORED:
        raise KamalError(
            f"Vault's engine {mount.engine} gives nothing at {path}: there is no such role, or it cannot be generated",
            hint=f"`vault read {path}` says why",
        )
    server.check(answer, path, place)
    fields = document(answer).get("data")
    if mount.version_2:
        fields = mapping(fields).get("data")
    if not isinstance(fields, dict):
        raise not_understood()
    return Found(fields, _lease(server, path, answer))


def _check_version(found: Mapping[str, Any], path: str) -> None:
    """Raise the error for a version of KV that has no data any more."""
    version = mapping(found.get("metadata"))
    if not version or found.get("data") is not None:
        return
    number = version.get("version")
    shown = number if isinstance(number, int) else "N"
    if version.get("destroyed") is True:
        raise KamalError(
            f"The current version of {path} in Vault is destroyed",
            hint=f"nothing brings version {shown} back: write the secret anew, or roll back to an older version with "
            f"`vault kv rollback -version=N {path}`",
        )
    raise KamalError(
        f"The current version of {path} in Vault is deleted",
        hint=f"`vault kv undelete -versions={shown} {path}` brings it back",
    )


def _lease(server: Server, path: str, answer: Answer) -> Lease | None:
    whole = document(answer)
    identifier, seconds = whole.get("lease_id"), whole.get("lease_duration")
    if not identifier:
        return None
    if not isinstance(identifier, str) or not _LEASE_ID.fullmatch(identifier) or not isinstance(seconds, int):
        raise not_understood()
    return Lease(f"Vault at {server.address}", path, identifier, max(0, seconds))
