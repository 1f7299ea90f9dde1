"""The proxy's image is built when something changed, and only then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pykamal.sandbox import proxy_image
from pykamal.sandbox.paths import cache

pytestmark = pytest.mark.unit


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The images that a stand-in for the builder, which takes apt and seconds, was asked for."""
    monkeypatch.setenv("PYKAMAL_SANDBOX_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(proxy_image, "PACKAGE_LISTS", tmp_path / "lists")
    (tmp_path / "lists").mkdir()
    images: list[Path] = []

    def build(say: object) -> Path:
        folder = cache() / "proxy"
        folder.mkdir(parents=True, exist_ok=True)
        image = folder / f"proxy-image-{len(images)}.tar"
        image.write_text("image")
        os.utime(image, (1000 + len(images), 1000 + len(images)))
        images.append(image)
        return image

    monkeypatch.setattr(proxy_image, "_build", build)
    return images


def ask() -> Path:
    return proxy_image.proxy_image(lambda _: None)


def test_nothing_changed(built: list[Path]) -> None:
    """The second time the first image is good enough."""
    assert ask() == ask() == built[0]
    assert len(built) == 1


def test_other_package_lists(built: list[Path], tmp_path: Path) -> None:
    """After `apt-get update` there may be newer packages."""
    ask()
    os.utime(tmp_path / "lists", (1, 1))
    assert ask() == built[1]


def test_lost_image(built: list[Path]) -> None:
    """An image that somebody deleted is built again."""
    ask().unlink()
    ask()
    assert len(built) == 2


def test_old_images_are_deleted(built: list[Path], tmp_path: Path) -> None:
    """Every change of the program makes an image; the newest few stay."""
    for number in range(5):
        os.utime(tmp_path / "lists", (number, number))
        ask()
    assert sorted(built[0].parent.iterdir()) == built[-proxy_image.KEPT_IMAGES :]
