"""`kamal init`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pykamal.cli.dispatch import dispatch
from pykamal.config.load import load
from pykamal.operations.local.local_system import LocalSystem
from pykamal.secrets.store import Secrets
from tests.init_projects import PROJECTS

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
    """The written file loads, with the values of Ruby Kamal's template (cli.md 18.3)."""
    dispatch(["init"])
    config = load(system=LocalSystem())
    assert (config.service, config.image) == ("my-app", "my-user/my-app")
    assert config.all_hosts == ("192.168.0.1",)
    assert config.registry.server == "localhost:5555"
    assert config.roles[0].proxy is not None
    assert config.roles[0].proxy.hosts == ("app.example.com",)
    assert config.roles[0].proxy.ssl is not None
    assert config.warnings == ()
    assert Secrets().all() == {}


def test_what_is_commented_out_is_valid_too(folder: Path) -> None:
    """The sample without its comment signs is a configuration that loads."""
    dispatch(["init"])
    path = folder / "config" / "deploy.yml"
    text = path.read_text()
    lines = [_without_comment_sign(line) for line in text.splitlines()]
    path.write_text("\n".join(lines))
    config = load(system=LocalSystem())
    assert [accessory.name for accessory in config.accessories] == ["db"]
    assert [role.name for role in config.roles] == ["jobs", "web"]
    assert set(config.aliases) == {"console", "shell"}


def _without_comment_sign(line: str) -> str:
    """The setting of a commented-out line; prose (it ends in a full stop or has no colon or dash) stays a comment."""
    head, sign, rest = line.partition("# ")
    setting = rest.strip()
    looks_like_one = setting.startswith("- ") or setting.split(" ")[0].endswith(":")
    return f"{head}{rest}" if sign and not head.strip() and looks_like_one and not setting.endswith(".") else line


@pytest.mark.parametrize("kind", PROJECTS)
def test_each_kind_of_project(kind: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Port and health check are written down, the file loads, and an image to start from is shown, not written."""
    project = PROJECTS[kind]
    project.write_to(folder)
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert dispatch(["init"]) == 0
    proxy = load(system=LocalSystem()).roles[0].proxy
    assert proxy is not None
    assert (proxy.app_port, proxy.healthcheck.path) == (project.app_port, project.health_path)
    assert {path: path.read_text() for path in before} == before
    assert not (folder / "Dockerfile").exists()
    said = capsys.readouterr().out
    assert f": port {project.app_port}, health check at {project.health_path}\n" in said
    for line in project.in_dockerfile:
        assert f"\n  {line}\n" in said


@pytest.mark.parametrize(
    ("dockerfile", "port"),
    [
        ("FROM a\nEXPOSE 9000\n", 9000),
        ("FROM a AS build\nEXPOSE 1\nFROM b\n  expose 9000/tcp 9001\n", 9000),
        ("FROM a\nEXPOSE $PORT\n", 8000),
        ("FROM a\nEXPOSE 53/udp\nEXPOSE 99999\n", 8000),
        ("FROM a AS build\nEXPOSE 1\nFROM b\n", 8000),
    ],
)
def test_a_dockerfile_wins(dockerfile: str, port: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The port is the one that the image exposes, in its last stage; no other image is proposed."""
    PROJECTS["django"].write_to(folder)
    (folder / "Dockerfile").write_text(dockerfile)
    dispatch(["init"])
    proxy = load(system=LocalSystem()).roles[0].proxy
    assert proxy is not None
    assert proxy.app_port == port
    said = capsys.readouterr().out
    assert "There is no Dockerfile" not in said
    assert (folder / "Dockerfile").read_text() == dockerfile


def test_a_dockerfile_alone(folder: Path) -> None:
    """Of an application of no known kind the image's port is all that is known."""
    (folder / "Dockerfile").write_text("FROM scratch\nEXPOSE 4000\n")
    dispatch(["init"])
    assert "\n  app_port: 4000\n" in (folder / "config" / "deploy.yml").read_text()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b"{}", b"", b'{"dependencies": [], "scripts": 5}'])
def test_files_that_say_nothing(content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The template is written for a project with any content in its files."""
    for name in ("package.json", "pyproject.toml", "requirements.txt", "Gemfile", "Dockerfile"):
        (folder / name).write_bytes(content)
    (folder / "manage.py").mkdir()
    assert dispatch(["init"]) == 0
    assert capsys.readouterr().out.count("\n") == 3


def test_what_is_commented_out_is_valid_for_projects_too(folder: Path) -> None:
    """The comments of a project's file are settings as well."""
    PROJECTS["rails"].write_to(folder)
    dispatch(["init"])
    path = folder / "config" / "deploy.yml"
    path.write_text("\n".join(_without_comment_sign(line) for line in path.read_text().splitlines()))
    config = load(system=LocalSystem())
    assert config.aliases["console"] == 'app exec --interactive --reuse "bin/rails console"'
    assert config.roles[1].proxy is not None
    assert config.roles[1].proxy.healthcheck.interval == 3


@pytest.mark.process
def test_bundle(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundler is asked for Ruby Kamal and its binstub, once (cli.md 18.3). Bundler itself needs Ruby and an index."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "bundle").write_text(
        '#!/bin/sh\necho "$@" >> bundled\nif [ "$1" = binstubs ]; then mkdir -p bin && touch bin/kamal; fi\n'
    )
    (tools / "bundle").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert dispatch(["init", "--bundle"]) == 0
    said = capsys.readouterr().out
    assert (folder / "bundled").read_text() == "add kamal\nbinstubs kamal\n"
    assert said.index("Adding Kamal to Gemfile and bundle...\n") < said.index("Created binstub file in bin/kamal\n")
    assert dispatch(["init", "--bundle"]) == 0
    assert "Binstub already exists in bin/kamal (remove first to create a new one)\n" in capsys.readouterr().out
    assert (folder / "bundled").read_text().count("\n") == 2


@pytest.mark.process
def test_bundle_without_bundler(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundler that is not there is told, and exit code 1; the files are written all the same."""
    monkeypatch.setenv("PATH", str(folder))
    assert dispatch(["init", "--bundle"]) == 1
    assert "bundle" in capsys.readouterr().out
    assert (folder / "config" / "deploy.yml").exists()


@pytest.mark.process
def test_hooks_are_executable_samples(folder: Path) -> None:
    """Nine of them, none of which runs before it is renamed; each is a valid script (cli.md 9.2, 18.3)."""
    dispatch(["init"])
    samples = sorted((folder / ".kamal" / "hooks").iterdir())
    assert [sample.name for sample in samples] == [f"{hook}.sample" for hook in HOOKS]
    for sample in samples:
        assert os.access(sample, os.X_OK)
        subprocess.run(["sh", "-n", str(sample)], check=True)


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Existing files stay as they are; only an existing configuration gets a message (cli.md 18.3)."""
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
