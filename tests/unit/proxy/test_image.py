"""The image archive: what an engine loads (spec/proxy.md 21 and 24.1)."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from pykamal.proxy.base_system import base_files
from pykamal.proxy.image import forget_old, program_sources, write_image, write_layer

pytestmark = pytest.mark.unit


def read_json(archive: tarfile.TarFile, name: str) -> Any:
    file = archive.extractfile(name)
    assert file is not None
    return json.load(file)


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/tool").write_text("#!/bin/sh\n")
    (root / "usr/bin/tool").chmod(0o755)
    (root / "bin").symlink_to("usr/bin")
    path = tmp_path / "layer.tar"
    write_layer(path, root, base_files())
    return path


def test_a_layer_is_reproducible_and_rootless(layer: Path, tmp_path: Path) -> None:
    """No dates and no owners of this machine; the home belongs to the proxy's user."""
    again = tmp_path / "again.tar"
    (tmp_path / "root/usr/bin/tool").touch()
    write_layer(again, tmp_path / "root", base_files())
    assert again.read_bytes() == layer.read_bytes()
    with tarfile.open(layer) as archive:
        owners = {member.name: member.uid for member in archive}
        assert archive.getmember("tmp").mode == 0o1777
        assert archive.getmember("bin").linkname == "usr/bin"
    assert {name for name, owner in owners.items() if owner} == {
        "home/kamal-proxy",
        "home/kamal-proxy/.config",
        "home/kamal-proxy/.config/kamal-proxy",
        "home/kamal-proxy/.apps-config",
    }


@pytest.mark.process
def test_an_image_names_its_layers_by_their_digests(layer: Path, tmp_path: Path) -> None:
    """User, command, ports and label are what Kamal relies on (21); both tags are there."""
    image = tmp_path / "image.tar"
    write_image(image, [layer], ["a/b:v1", "c/d:v2"], "abc")
    with tarfile.open(image) as archive:
        (manifest,) = read_json(archive, "manifest.json")
        config = read_json(archive, manifest["Config"])
        stored = archive.extractfile(manifest["Layers"][0])
        assert stored is not None
        assert f"sha256:{hashlib.sha256(stored.read()).hexdigest()}" == config["rootfs"]["diff_ids"][0]
    assert manifest["RepoTags"] == ["a/b:v1", "c/d:v2"]
    assert config["config"]["Cmd"] == ["kamal-proxy", "run"]
    assert config["config"]["User"] == "1000:1000"
    assert set(config["config"]["ExposedPorts"]) == {"80/tcp", "443/tcp"}
    assert config["config"]["Labels"]["org.opencontainers.image.title"] == "kamal-proxy"
    assert config["config"]["Labels"]["org.opencontainers.image.revision"] == "abc"


def test_the_newest_builds_are_kept(tmp_path: Path) -> None:
    """Three base systems, three images, packed or not; of what is unfinished, what a living build may have."""
    ages = {
        f"proxy-{kind}-{hours}.tar{end}": hours
        for kind in ("base", "image")
        for hours in range(5)
        for end in ("", ".gz")
    }
    ages |= {"proxy-image-7.tar.gz": 0, "proxy-image-8.tar.gz.new-1": 1, "proxy-image-9.tar.gz.new-2": 30, "tmp-a": 30}
    for name, hours in ages.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, time.time() - 3600 * hours))
    forget_old(tmp_path)
    images = {path.name for path in tmp_path.glob("*image*")}
    assert images == {"proxy-image-8.tar.gz.new-1"} | {
        f"proxy-image-{n}.tar{end}" for n in range(3) for end in ("", ".gz")
    }
    assert len(list(tmp_path.glob("proxy-base-*.tar"))) == 3
    assert not (tmp_path / "tmp-a").exists()


def test_the_program_layer_needs_the_standard_library_only() -> None:
    """No third-party module is imported by anything that goes into the image."""
    forbidden = ("asyncssh", "bcrypt", "jsonschema", "yaml")
    for source in program_sources():
        if source.suffix == ".py":
            text = source.read_text()
            assert not [name for name in forbidden if f"import {name}" in text or f"from {name}" in text], source
    names = {source.name for source in program_sources()}
    assert {"nginx.conf.template", "server.conf.template", "access.lua", "__main__.py"} <= names
    assert "image.py" not in names
