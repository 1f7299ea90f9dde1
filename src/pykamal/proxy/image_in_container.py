"""Builds the proxy's image inside a Debian 12 container, for machines that are not Debian 12 themselves."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfileobj

from pykamal.proxy.errors import ProxyError

BASE = "debian:bookworm-slim"
"""A public image; the builder needs nothing of it but its apt."""

FRESH_S = 86400
"""Age at which a build no longer counts as made of the packages of the day."""

_PACKAGE = Path(__file__).parent
_SCRIPT = """set -e
exec 3>&1 >&2
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends python3 > /dev/null
mkdir /sources /built
cd /sources
tar -x
python3 -m pykamal.proxy.image "$@" /built
tar -c -C /built $(cd /built && ls | grep ^proxy-image-) >&3
"""


def build_in_container(directory: Path, names: Sequence[str]) -> Path:
    """The image's tar in `directory`, whose name has what it is made of. Raises ProxyError without such a container."""
    sources = _sources()
    key = hashlib.sha256(b"\n".join([sources, *(name.encode() for name in names)])).hexdigest()[:16]
    memory = directory / f"in-container-{key}"
    if memory.exists() and time.time() - memory.stat().st_mtime < FRESH_S:
        known = directory / memory.read_text()
        if known.exists():
            return known
    tags = [word for name in names for word in ("--tag", name)]
    command = ["docker", "run", "--rm", "--interactive", BASE, "sh", "-c", _SCRIPT, "sh", *tags]
    with tempfile.TemporaryFile(dir=directory) as output:
        try:
            done = subprocess.run(command, input=sources, stdout=output, stderr=subprocess.PIPE, check=False)
        except FileNotFoundError:
            raise ProxyError("neither Debian 12's packages nor Docker are at hand") from None
        if done.returncode:
            reason = "; ".join(done.stderr.decode(errors="replace").strip().splitlines()[-3:])
            raise ProxyError(f"cannot build in a container of {BASE}: {reason}")
        output.seek(0)
        image = _unpacked(output, directory)
    memory.write_text(image.name)
    return image


def _unpacked(output: io.BufferedIOBase, directory: Path) -> Path:
    with tarfile.open(fileobj=output) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None:
                continue
            image = directory / Path(member.name).name
            unfinished = image.with_suffix(".new")
            with unfinished.open("wb") as file:
                copyfileobj(content, file)
            return unfinished.replace(image)
    raise ProxyError(f"the container of {BASE} built nothing")


def _sources() -> bytes:
    """Return the sources for the builder as a tar without dates and owners."""
    packed = io.BytesIO()
    files = [_PACKAGE.parent / "__init__.py", *sorted(_PACKAGE.rglob("*"))]
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                info = tarfile.TarInfo(f"pykamal/{file.relative_to(_PACKAGE.parent)}")
                info.size = file.stat().st_size
                with file.open("rb") as content:
                    archive.addfile(info, content)
    return packed.getvalue()
