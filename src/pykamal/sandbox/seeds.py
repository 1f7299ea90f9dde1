"""Prepares unpacked images for new machines, in folders that are copied at almost no cost.

An engine never writes into a file of an unpacked layer and replaces its image index by renaming, so those files can
be shared by hard links: a host gets its images in the time that it takes to make the directory entries.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pykamal.sandbox import background_processes
from pykamal.sandbox.engine import Engine
from pykamal.sandbox.manifest import Journal
from pykamal.sandbox.paths import Paths, cache
from pykamal.sandbox.python_image import REPOSITORY, PythonImage

LAYOUT = "3"  # raise it when the contents of a seed folder change
ENGINE_PARTS = ("image", "overlay2")
BLOBS, REPOSITORIES = "docker/registry/v2/blobs", "docker/registry/v2/repositories"
PYTHON_ARCHIVE = "python.tar"
KEPT_SEEDS = 3


@dataclass(frozen=True, slots=True)
class Seed:
    """A prepared folder: `engine/` for data roots, `registry/` for the registry's storage."""

    folder: Path
    python_version: str

    @property
    def ready(self) -> bool:
        return self.folder.exists()

    def plant_engine(self, data_root: Path, registry_server: str) -> None:
        os.utime(self.folder)  # the ones that are not used any more are deleted first
        data_root.mkdir(parents=True, exist_ok=True)
        for part in ENGINE_PARTS:
            _link_tree(self.folder / "engine" / part, data_root / part)
        _move_layers(data_root, f"{registry_server}/{REPOSITORY}")

    def plant_archive(self, folder: Path) -> None:
        (folder / PYTHON_ARCHIVE).hardlink_to(self.folder / PYTHON_ARCHIVE)

    def plant_registry(self, storage: Path) -> None:
        """Copy the registry's storage. Only blobs are shared: a registry overwrites the files of its tags in place."""
        _link_tree(self.folder / "registry" / BLOBS, storage / BLOBS)
        shutil.copytree(self.folder / "registry" / REPOSITORIES, storage / REPOSITORIES)


def seed_for(images: Sequence[Path]) -> Seed:
    """Return the seed of the Python base image and these docker-archives, made already or not."""
    digest = hashlib.sha256(f"{LAYOUT} {_stamp(Path('/usr/sbin/dockerd'))}".encode())
    python = _python_facts()
    digest.update(python["key"].encode())
    for image in images:
        digest.update(_stamp(image).encode())
    return Seed(folder=cache() / f"seed-{digest.hexdigest()[:16]}", python_version=python["version"])


def make_seed(
    seed: Seed, journal: Journal, engine: Engine, images: Sequence[Path], *, say: Callable[[str], None]
) -> None:
    """Fill an empty engine and registry, and keep a copy of both for the next time.

    The base image is pushed as well as loaded: only then does an engine know its layers by their digest in the
    registry, and pulls of images that stand on it fetch nothing but what is new.
    """
    manifest, paths = journal.manifest, journal.paths
    python = PythonImage()
    archive = paths.images / PYTHON_ARCHIVE
    say(f"building the base image {python.reference} from this machine's Python")
    python.write(archive)
    engine.load(archive)
    repository = f"{manifest.registry_server}/{REPOSITORY}"
    engine.tag(python.reference, repository, python.version)
    engine.push(
        repository,
        python.version,
        username=manifest.registry_username,
        password=manifest.registry_password,
    )
    engine.remove_image(f"{repository}:{python.version}")  # the port is this sandbox's; a seed serves others
    for image in images:
        say(f"loading {image.name}")
        engine.load(image)
    _keep(seed, paths)


def _keep(seed: Seed, paths: Paths) -> None:
    cache().mkdir(parents=True, exist_ok=True)
    draft = cache() / f"draft-{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    for part in ENGINE_PARTS:
        _link_tree(paths.host("workstation") / "docker" / part, draft / "engine" / part)
    shutil.copytree(paths.registry / "storage", draft / "registry")
    (draft / PYTHON_ARCHIVE).hardlink_to(paths.images / PYTHON_ARCHIVE)
    try:
        draft.rename(seed.folder)
    except OSError:  # another sandbox was quicker
        shutil.rmtree(draft)
    for old in sorted(cache().glob("seed-*"), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_SEEDS:]:
        shutil.rmtree(old, ignore_errors=True)


def _move_layers(data_root: Path, repository: str) -> None:
    """Tell an engine that it finds its layers in this sandbox's registry, so that a push need not upload them again."""
    for known in (data_root / "image" / "overlay2" / "distribution" / "v2metadata-by-diffid").glob("*/*"):
        places = [{**place, "SourceRepository": repository} for place in json.loads(known.read_text())]
        draft = known.with_suffix(".new")
        draft.write_text(json.dumps(places))
        draft.replace(known)  # not written to: the seed has a link to it


def _link_tree(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    background_processes.run(["cp", "--archive", "--link", str(source), str(target)])


def _python_facts() -> dict[str, str]:
    """Return key and version of the base image; computed anew only after a package was installed."""
    stamp = _stamp(Path("/var/lib/dpkg/status"))
    memory = cache() / "python.json"
    try:
        known: dict[str, str] = json.loads(memory.read_text())
    except (OSError, ValueError):
        known = {}
    if known.get("stamp") != stamp:
        python = PythonImage()
        known = {"stamp": stamp, "key": python.key, "version": python.version}
        cache().mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps(known))
    return known


def _stamp(path: Path) -> str:
    state = path.stat()
    return f"{path} {state.st_size} {state.st_mtime_ns}"
