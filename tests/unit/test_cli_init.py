"""`kamal init`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pykamal.cli.dispatch import dispatch
from pykamal.config.load import load
from pykamal.operations.local_outside import LocalOutside
from pykamal.secrets.store import Secrets

pytestmark = pytest.mark.unit

HOOKS = [
    "docker-setup",
    "post-app-boot",
    "post-deploy",
    "post-proxy-reboot",
    "pre-app-boot",
    "pre-build",
    "pre-connect",
    "pre-deploy",
    "pre-proxy-reboot",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One message for each thing that was created (cli.md 18.3)."""
    assert dispatch(["init"]) == 0
    assert capsys.readouterr().out == (
        "Created configuration file in config/deploy.yml\n"
        "Created .kamal/secrets file\n"
        "Created sample hooks in .kamal/hooks\n"
    )


def test_the_configuration_is_valid(folder: Path) -> None:
    """What was written loads, with the values of Ruby Kamal's template (cli.md 18.3)."""
    dispatch(["init"])
    config = load(outside=LocalOutside())
    assert (config.service, config.image) == ("my-app", "my-user/my-app")
    assert config.all_hosts == ("192.168.0.1",)
    assert config.registry.server == "localhost:5555"
    assert config.roles[0].proxy is not None
    assert config.roles[0].proxy.hosts == ("app.example.com",)
    assert config.roles[0].proxy.ssl is not None
    assert config.warnings == ()
    assert Secrets().all() == {}


def test_what_is_commented_out_is_valid_too(folder: Path) -> None:
    """Whoever takes the comment signs away gets a configuration that loads."""
    dispatch(["init"])
    path = folder / "config" / "deploy.yml"
    text = path.read_text()
    lines = [_without_comment_sign(line) for line in text.splitlines()]
    path.write_text("\n".join(lines))
    config = load(outside=LocalOutside())
    assert [accessory.name for accessory in config.accessories] == ["db"]
    assert [role.name for role in config.roles] == ["jobs", "web"]
    assert set(config.aliases) == {"console", "shell"}


def _without_comment_sign(line: str) -> str:
    """The setting of a commented-out line; prose (it ends in a full stop or has no colon or dash) stays a comment."""
    head, sign, rest = line.partition("# ")
    setting = rest.strip()
    looks_like_one = setting.startswith("- ") or setting.split(" ")[0].endswith(":")
    return f"{head}{rest}" if sign and not head.strip() and looks_like_one and not setting.endswith(".") else line


def test_hooks_are_executable_samples(folder: Path) -> None:
    """Nine of them, none of which runs before it is renamed; each is a valid script (cli.md 9.2, 18.3)."""
    dispatch(["init"])
    samples = sorted((folder / ".kamal" / "hooks").iterdir())
    assert [sample.name for sample in samples] == [f"{hook}.sample" for hook in HOOKS]
    for sample in samples:
        assert os.access(sample, os.X_OK)
        subprocess.run(["sh", "-n", str(sample)], check=True)


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What exists stays as it is; only the configuration is remarked on (cli.md 18.3)."""
    dispatch(["init"])
    (folder / "config" / "deploy.yml").write_text("mine")
    (folder / ".kamal" / "secrets").write_text("A=1")
    (folder / ".kamal" / "hooks" / "pre-build.sample").write_text("mine")
    capsys.readouterr()
    assert dispatch(["init"]) == 0
    assert capsys.readouterr().out == (
        "Config file already exists in config/deploy.yml (remove first to create a new one)\n"
    )
    assert (folder / "config" / "deploy.yml").read_text() == "mine"
    assert (folder / ".kamal" / "secrets").read_text() == "A=1"
    assert (folder / ".kamal" / "hooks" / "pre-build.sample").read_text() == "mine"
