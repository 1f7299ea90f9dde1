"""Lines about assets and error pages, on real files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.commands import assets, hooks
from pykamal.config.models import AssetPath
from tests.unit.commands.shell import run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

WEB = replace(role("web", "10.0.0.1"), asset_path=AssetPath("/app/public"))
CONFIG = config(WEB)
EXTRACTED = ".kamal/apps/app/assets/extracted"
VOLUMES = ".kamal/apps/app/assets/volumes"


def test_extract() -> None:
    """spec/cli.md 14.11: extract assets."""
    assert assets.extract(CONFIG, WEB, "v2").display_text() == (
        f"mkdir -p {EXTRACTED}/web-v2 && docker container rm app-web-assets 2> /dev/null || true "
        "&& docker container create --name app-web-assets 127.0.0.1:5555/acme/app:v2 "
        f"&& docker container cp -L app-web-assets:/app/public/. {EXTRACTED}/web-v2 "
        "&& docker container rm app-web-assets"
    )


def test_extract_needs_a_path() -> None:
    """A caller's mistake is an exception, not a line."""
    with pytest.raises(ValueError, match="no asset path"):
        assets.extract(CONFIG, role("jobs", "h"), "v2")


def test_synchronize() -> None:
    """spec/cli.md 14.11: merge."""
    merged = f"mkdir -p {VOLUMES}/web-v2 ; cp -rnT {EXTRACTED}/web-v2 {VOLUMES}/web-v2"
    assert assets.synchronize(CONFIG, WEB, "v2", None).display_text() == merged
    assert assets.synchronize(CONFIG, WEB, "v2", "v1").display_text() == (
        f"{merged} ; cp -rnT {EXTRACTED}/web-v2 {VOLUMES}/web-v1 || true "
        f"; cp -rnT {EXTRACTED}/web-v1 {VOLUMES}/web-v2 || true"
    )


def make(home: Path, *paths: str) -> None:
    for path in paths:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(path)


def files(home: Path, below: str) -> dict[str, str]:
    return {
        str(path.relative_to(home / below)): path.read_text() for path in (home / below).rglob("*") if path.is_file()
    }


@pytest.mark.process
def test_versions_share_assets(tmp_path: Path) -> None:
    """spec/cli.md 14.11: both volumes hold both versions' files, each with its own where names are equal."""
    make(tmp_path, f"{EXTRACTED}/web-v1/old.js", f"{EXTRACTED}/web-v1/same.js", f"{EXTRACTED}/web-v2/js/new.js")
    make(tmp_path, f"{EXTRACTED}/web-v2/same.js", f"{VOLUMES}/web-v1/old.js", f"{VOLUMES}/web-v1/same.js")
    assert run(assets.synchronize(CONFIG, WEB, "v2", "v1"), directory=tmp_path).returncode == 0
    new, old = files(tmp_path, f"{VOLUMES}/web-v2"), files(tmp_path, f"{VOLUMES}/web-v1")
    assert sorted(new) == sorted(old) == ["js/new.js", "old.js", "same.js"]
    assert new["same.js"] == f"{EXTRACTED}/web-v2/same.js"
    assert old["same.js"] == f"{VOLUMES}/web-v1/same.js"


def test_clean_up_line() -> None:
    """spec/cli.md 14.11: assets clean-up."""
    assert assets.clean_up(CONFIG, WEB, "v2").display_text() == (
        f"find {EXTRACTED} -maxdepth 1 -name 'web-*' ! -name web-v2 -exec rm -rf \"{{}}\" + ; "
        f"find {VOLUMES} -maxdepth 1 -name 'web-*' ! -name web-v2 -exec rm -rf \"{{}}\" +"
    )


@pytest.mark.process
def test_clean_up_leaves_other_roles_alone(tmp_path: Path) -> None:
    """spec/cli.md 14.11 tells of a pattern that also matches `web-eu`; here it does not."""
    for kind in (EXTRACTED, VOLUMES):
        make(tmp_path, *(f"{kind}/{name}/a.js" for name in ("web-v1", "web-v2", "web-eu-v1", "jobs-v1")))
    service = config(WEB, role("web-eu", "10.0.0.2", proxied=True))
    assert run(assets.clean_up(service, WEB, "v2"), directory=tmp_path).returncode == 0
    for kind in (EXTRACTED, VOLUMES):
        assert sorted(path.name for path in (tmp_path / kind).iterdir()) == ["jobs-v1", "web-eu-v1", "web-v2"]


@pytest.mark.process
def test_error_pages(tmp_path: Path) -> None:
    """spec/cli.md 14.11: error pages clean-up."""
    directory = ".kamal/proxy/apps-config/app/error_pages"
    assert assets.error_pages_path(CONFIG) == directory
    line = assets.clean_up_error_pages(CONFIG, "v2")
    assert line.display_text() == f"find {directory} -mindepth 1 -maxdepth 1 ! -name v2 -exec rm -rf {{}} +"
    make(tmp_path, f"{directory}/v1/404.html", f"{directory}/v2/404.html")
    run(line, directory=tmp_path)
    assert list(files(tmp_path, directory)) == ["v2/404.html"]


@pytest.mark.process
def test_hooks(tmp_path: Path) -> None:
    """spec/cli.md 9.1: a hook is run by its path."""
    assert hooks.run(".kamal/hooks/pre-build").display_text() == ".kamal/hooks/pre-build"
    (tmp_path / "ls").write_text("#!/bin/sh\necho own\n")
    (tmp_path / "ls").chmod(0o755)
    assert run(hooks.run("ls"), directory=tmp_path).stdout == b"own\n"
