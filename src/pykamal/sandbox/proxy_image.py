"""Builds the proxy's image for the hosts, and keeps it until one of its sources changes."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Iterator
from pathlib import Path

from pykamal.core.errors import SandboxError
from pykamal.sandbox.paths import cache
from pykamal.sandbox.provider import Say

PACKAGE_LISTS = Path("/var/lib/apt/lists")
KEPT_IMAGES = 3
NAMES = ("basecamp/kamal-proxy:v0.9.2", "pykamal/kamal-proxy:v0.9.2")
"""The first stands in for the upstream's image, which the servers cannot pull."""


def proxy_image(say: Say) -> Path:
    """Return the docker-archive. Raises SandboxError when a package for it is not available.

    The builder asks apt what it would install, which takes a second: it is asked only when a file of this program or
    the lists of packages are other ones than the last time.
    """
    memory = cache() / "proxy.json"
    stamp = _stamp()
    try:
        known: dict[str, str] = json.loads(memory.read_text())
    except (OSError, ValueError):
        known = {}
    if known.get("stamp") == stamp and Path(known["image"]).exists():
        return Path(known["image"])
    image = _build(say)
    memory.write_text(json.dumps({"stamp": stamp, "image": str(image)}))
    for old in _oldest(image.parent):
        old.unlink(missing_ok=True)
    return image


def _build(say: Say) -> Path:
    from pykamal.proxy.errors import ProxyError
    from pykamal.proxy.image import build_image

    try:
        return build_image(cache() / "proxy", say, NAMES)
    except ProxyError as error:
        raise SandboxError(f"The proxy's image cannot be built: {error}") from error


def _stamp() -> str:
    digest = hashlib.sha256()
    for path in [PACKAGE_LISTS, *sorted(_program())]:
        state = path.stat() if path.exists() else None
        digest.update(f"{path} {state and (state.st_size, state.st_mtime_ns)}\n".encode())
    return digest.hexdigest()


def _program() -> Iterator[Path]:
    with importlib.resources.as_file(importlib.resources.files("pykamal")) as package:
        for path in package.rglob("*"):
            if "__pycache__" not in path.parts and path.is_file():
                yield path


def _oldest(folder: Path) -> list[Path]:
    """Return all archives but the newest few: every change of the program makes another one."""
    images = sorted(folder.glob("proxy-image-*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    return images[KEPT_IMAGES:]
