"""Builds the proxy's container image from Debian packages, without a container engine and without root.

    python -m pykamal.proxy.image [--tag NAME:TAG ...] [--describe] OUTPUT_DIRECTORY

prints the path of a tar for `docker load`. With `--describe` it makes none and prints what it would make, as JSON:
`path`, `revision` (what the image is made of, which it carries as a label) and `architecture`. Two layers: the base
system, which changes only with the packages, and the proxy itself; the same bytes for the same packages and sources.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pykamal import __version__
from pykamal.proxy.base_system import (
    PACKAGES,
    UID,
    architecture,
    base_files,
    extract,
    interpreter,
    unpack,
)
from pykamal.proxy.contract import HOME, OWN_REPOSITORY, REFERENCE_VERSION, REVISION_LABEL
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.image_in_container import build_in_container
from pykamal.proxy.packages import Packages

Log = Callable[[str], None]

NAME = f"{OWN_REPOSITORY}:{REFERENCE_VERSION}"
"""The version is the upstream's whose contract this proxy fulfils, which Kamal compares with its minimum."""
PROGRAM_DIRECTORY = "usr/lib/kamal-proxy"
KEPT = 3
ABANDONED_S = 86400
CREATED = "1970-01-01T00:00:00Z"
_PACKAGE = Path(__file__).parent
_LEFT_OUT = {"image.py", "image_in_container.py", "base_system.py", "packages.py"}

LAUNCHER = f"""#!/usr/bin/python3.11 -IS
import sys
sys.path.insert(0, "/{PROGRAM_DIRECTORY}")
from pykamal.proxy.__main__ import main
sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Description:
    """An image, built or not: its file, what it is made of, for which machines (`amd64`, `arm64`)."""

    path: str
    revision: str
    architecture: str


def build_image(cache_dir: Path, log: Log, names: Sequence[str] = (NAME,)) -> Path:
    """The path of the image's tar in `cache_dir`, built if no build of the same content lies there.

    Needs apt-get and dpkg-deb (Debian 12) and the distribution's package mirror, for the first build only.
    Raises ProxyError when a package cannot be had.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    packages = Packages(PACKAGES, cache_dir)
    description = _described(cache_dir, packages, names)
    image = Path(description.path)
    if image.exists():
        log(f"proxy image is up to date: {image}")
        return image
    base = _base_layer(cache_dir, packages, log)
    with tempfile.TemporaryDirectory(dir=cache_dir) as workspace:
        program = Path(workspace, "program")
        _lay_out_program(program, base)
        layer = Path(workspace, "program.tar")
        write_layer(layer, program)
        unfinished = Path(workspace, "image.tar")
        write_image(unfinished, [base, layer], names, description.revision)
        unfinished.replace(image)
    log(f"proxy image built: {image} ({image.stat().st_size >> 20} MB)")
    return image


def describe_image(cache_dir: Path, names: Sequence[str] = (NAME,)) -> Description:
    """Describe the image that `build_image` would make. Raises ProxyError."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    return _described(cache_dir, Packages(PACKAGES, cache_dir), names)


def _described(cache_dir: Path, packages: Packages, names: Sequence[str]) -> Description:
    revision = f"{_digest(_base_recipe(packages))}-{_digest(_source_digests())}"
    return description_of(cache_dir / f"proxy-image-{architecture()}-{revision}-{_digest(names)[:8]}.tar")


def description_of(image: Path) -> Description:
    """Read a description from the name of a file of `build_image`."""
    *_, machine, packages, sources, _ = image.stem.split("-")
    return Description(str(image), f"{packages}-{sources}", machine)


def _base_recipe(packages: Packages) -> list[str]:
    return [hashlib.sha256((_PACKAGE / "base_system.py").read_bytes()).hexdigest(), *packages.wanted]


def _base_layer(cache_dir: Path, packages: Packages, log: Log) -> Path:
    recipe = _base_recipe(packages)
    layer = cache_dir / f"proxy-base-{_digest(recipe)}.tar"
    if layer.exists():
        return layer
    log(f"building the base system from {len(recipe) - 1} Debian packages")
    with tempfile.TemporaryDirectory(dir=cache_dir) as workspace:
        root = Path(workspace, "root")
        unpack(packages.fetch(Path(workspace)), root)
        unfinished = Path(workspace, "base.tar")
        write_layer(unfinished, root, base_files())
        unfinished.replace(layer)
    return layer


def _lay_out_program(directory: Path, base: Path) -> None:
    """The files of the top layer, compiled by the image's own interpreter."""
    package = directory / PROGRAM_DIRECTORY / "pykamal"
    for source in program_sources():
        copy = package / source.relative_to(_PACKAGE.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    launcher = directory / "usr/bin/kamal-proxy"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
    with tempfile.TemporaryDirectory() as root, tarfile.open(base) as archive:
        extract(archive, Path(root))
        compile_tree(Path(root), directory, PROGRAM_DIRECTORY)


def compile_tree(root: Path, directory: Path, below: str) -> None:
    """Compiles `directory`/`below` for a read-only file system: unchecked, with the paths of the image."""
    arguments = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(directory), "-p", "/"]
    command = interpreter(root)
    subprocess.run([*command.argv, *arguments, str(directory / below)], check=True, env=command.environment)


def program_sources() -> list[Path]:
    """Return the files of this package that go into the image."""
    files = [_PACKAGE.parent / "__init__.py", *_PACKAGE.rglob("*")]
    kept = (file for file in files if file.is_file() and "__pycache__" not in file.parts)
    return sorted(file for file in kept if file.name not in _LEFT_OUT)


def _source_digests() -> Iterator[str]:
    yield hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    for source in program_sources():
        yield f"{source.relative_to(_PACKAGE.parent)} {hashlib.sha256(source.read_bytes()).hexdigest()}"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def write_layer(layer: Path, root: Path, extra: Iterable[tuple[tarfile.TarInfo, bytes]] = ()) -> None:
    """A layer from a directory tree: sorted, owned by root (what lies below HOME by the proxy's user), dateless."""
    with tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(root.rglob("*")):
            info = archive.gettarinfo(path, arcname=str(path.relative_to(root)))
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            info.mtime = 0
            if info.islnk():
                info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
            if info.isreg():
                with path.open("rb") as file:
                    archive.addfile(info, file)
            else:
                archive.addfile(info)
        for info, content in extra:
            archive.addfile(info, io.BytesIO(content))


def write_image(image: Path, layers: Sequence[Path], names: Sequence[str], revision: str) -> None:
    """The archive that `docker load` reads: layers, configuration and manifest."""
    digests = [_file_digest(layer) for layer in layers]
    config = {
        "architecture": architecture(),
        "os": "linux",
        "created": CREATED,
        "config": {
            "User": f"{UID}:{UID}",
            "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"HOME={HOME}", "LANG=C.UTF-8"],
            "Cmd": ["kamal-proxy", "run"],
            "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
            "Labels": {
                "org.opencontainers.image.title": "kamal-proxy",
                "org.opencontainers.image.version": f"pykamal-{__version__}",
                REVISION_LABEL: revision,
                "org.opencontainers.image.licenses": "MIT",
            },
            "WorkingDir": HOME,
            "StopSignal": "SIGTERM",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [
            {"created": CREATED, "comment": "Debian packages"},
            {"created": CREATED, "comment": f"pykamal proxy {__version__}"},
        ],
    }
    text = json.dumps(config, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    paths = [f"{digest}/layer.tar" for digest in digests]
    manifest = [{"Config": name, "RepoTags": list(names), "Layers": paths}]
    with tarfile.open(image, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, name, text)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
        for layer, path in zip(layers, paths, strict=True):
            info = tarfile.TarInfo(path)
            info.size = layer.stat().st_size
            with layer.open("rb") as file:
                archive.addfile(info, file)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make(directory: Path, names: Sequence[str], *, build: bool) -> Description:
    """Here, or else in a container, where it has to be built even to be described."""
    try:
        found = describe_image(directory, names)
    except ProxyError as here:
        try:
            return description_of(build_in_container(directory, names))
        except ProxyError as there:
            raise ProxyError(f"{here}; {there}") from there
    if build:
        build_image(directory, lambda line: print(line, file=sys.stderr), names)
        with contextlib.suppress(FileNotFoundError):  # another build may tidy up as well
            forget_old(directory)
    return found


def forget_old(directory: Path) -> None:
    """Every change of packages or sources makes another image; the newest few stay, packed or not.

    What a build that was killed left goes after a day.
    """
    for kind in ("proxy-base-*.tar", "proxy-image-*.tar"):
        for old in sorted(directory.glob(kind), key=_age)[KEPT:]:
            old.unlink()
    for packed in directory.glob("proxy-image-*.tar.gz"):
        if not packed.with_suffix("").exists():
            packed.unlink()
    for left in (*directory.glob("tmp*"), *directory.glob("proxy-image-*.new*")):
        if _age(left) > ABANDONED_S:
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _age(file: Path) -> float:
    return time.time() - file.stat().st_mtime


def main() -> None:
    """Builds into the directory given and prints the tar's path, or what it would be."""
    parser = argparse.ArgumentParser(prog="python -m pykamal.proxy.image")
    parser.add_argument("--tag", action="append", dest="names", metavar="NAME:TAG")
    parser.add_argument("--describe", action="store_true")
    parser.add_argument("directory", type=Path)
    options = parser.parse_args()
    directory, names = options.directory.absolute(), options.names or [NAME]
    try:
        found = _make(directory, names, build=not options.describe)
    except ProxyError as problem:
        sys.exit(f"Error: {problem}")
    except OSError as problem:
        sys.exit(f"Error: {problem.filename or directory}: {(problem.strerror or str(problem)).lower()}")
    print(json.dumps(asdict(found)) if options.describe else found.path)


if __name__ == "__main__":
    main()
