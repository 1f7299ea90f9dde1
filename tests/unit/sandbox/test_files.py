"""The files that a sandbox writes, and the files that it refuses to touch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes, project
from pykamal.sandbox.manifest import Journal, Machine, Manifest, Process, load
from pykamal.sandbox.paths import Paths
from pykamal.sandbox.python_image import UNUSED

pytestmark = pytest.mark.unit

MANIFEST = Manifest(
    name="trial",
    token="0a1b2c3d",
    boot="a-boot",
    provider="namespaces",
    subnet="10.88.7.0/24",
    gateway="10.88.7.1",
    bridge="ks12345678",
    registry_port=23456,
    registry_username="sandbox",
    registry_password="a-password",
    workstation=Machine("workstation", "10.88.7.2", "ks12345678p0"),
    hosts=(Machine("h1", "10.88.7.11", "ks12345678p1"), Machine("h2", "10.88.7.12", "ks12345678p2")),
)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("PYKAMAL_SANDBOX_HOME", str(tmp_path))
    monkeypatch.delenv("SUDO_UID", raising=False)
    paths = Paths.of("trial")
    paths.root.mkdir()
    return paths


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "..", "1a", "a" * 32])
def test_names_that_could_lead_elsewhere_are_refused(name: str) -> None:
    """A name becomes a folder and part of interface names: lower-case letters, digits, dashes, nothing else."""
    with pytest.raises(SandboxError, match="cannot name a sandbox"):
        Paths.of(name)


def test_interface_names_fit_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's limit is 15 characters, whatever the sandbox is called and however many hosts it has."""
    monkeypatch.setenv("PYKAMAL_SANDBOX_HOME", str(tmp_path))
    longest = Paths.of("a" * 31)
    assert len(longest.link(999)) <= 15
    assert longest.bridge != Paths.of("a" * 30).bridge


def test_manifest_survives_the_disk(paths: Paths) -> None:
    """A manifest reads as it was written, and only by its owner: it holds the registry's password."""
    manifest = replace(MANIFEST, processes=(Process("h1", 17, 4711),))
    manifest.save(paths)
    assert load(paths) == manifest
    assert paths.manifest.stat().st_mode & 0o777 == 0o600


def test_no_manifest_is_no_sandbox(paths: Paths) -> None:
    """Nothing was made here."""
    assert load(paths) is None


@pytest.mark.parametrize(
    "content",
    ["", "not json", "[]", '{"format": "somebody-elses/1"}', '{"format": "pykamal-sandbox/1", "name": "other"}'],
)
def test_a_foreign_manifest_is_refused(paths: Paths, content: str) -> None:
    """A manifest of another origin is left alone, and so is all that it names."""
    paths.manifest.write_text(content)
    with pytest.raises(SandboxError):
        load(paths)


@pytest.mark.process
def test_every_process_is_on_disk_at_once(paths: Paths) -> None:
    """A sandbox that dies while it is made leaves a manifest that names what it had started."""
    with subprocess.Popen(["sleep", "60"]) as process:
        Journal(MANIFEST, paths).add("registry", process.pid)
        found = load(paths)
        process.kill()
    assert found is not None
    assert [entry.pid for entry in found.processes] == [process.pid]


@pytest.mark.process
def test_a_process_that_took_over_the_pid_is_not_ended() -> None:
    """Pid and start time together name a process: another one with the same pid stays alive."""
    with subprocess.Popen(["sleep", "60"]) as process:
        ticks = background_processes.start_time_ticks(process.pid)
        assert ticks is not None
        background_processes.end({process.pid: ticks + 1})
        assert process.poll() is None
        background_processes.end({process.pid: ticks})
        process.returncode = -9
    assert background_processes.start_time_ticks(process.pid) is None


@pytest.mark.process
def test_a_missing_program_says_what_to_do() -> None:
    """The error names the missing program and the command that installs it."""
    with pytest.raises(SandboxError, match="no-such-program") as caught:
        background_processes.run(["no-such-program"])
    assert "scripts/setup" in (caught.value.hint or "")


@pytest.mark.process
def test_a_failing_program_is_quoted() -> None:
    """The error of a program that failed carries its command and its standard error."""
    with pytest.raises(SandboxError) as caught:
        background_processes.run([sys.executable, "-c", "import sys; sys.exit('so it goes')"])
    assert "stderr: so it goes" in caught.value.details


def test_project_fits_ruby_kamal(paths: Paths) -> None:
    """The root keys are Ruby Kamal's or start with `x-` (spec/config.md 1.5); the registry is not taken for a local
    one, which `localhost:` would be (6.3)."""
    project.write_project(MANIFEST, paths)
    settings = yaml.safe_load((paths.project / "config" / "deploy.yml").read_text())
    ours = {key for key in settings if key.startswith("x-")}
    assert set(settings) - ours == {"service", "image", "servers", "proxy", "registry", "builder", "ssh"}
    assert settings["servers"]["web"]["hosts"] == ["10.88.7.11", "10.88.7.12"]
    assert settings["registry"]["server"] == "127.0.0.1:23456"
    secrets = (paths.project / ".kamal" / "secrets").read_text()
    assert f"{settings['registry']['password'][0]}=a-password" in secrets


def test_existing_project_files_are_never_overwritten(paths: Paths, tmp_path: Path) -> None:
    """`up` in a project that has a deploy.yml adds the secrets only, and nothing the second time."""
    project.write_project(MANIFEST, paths)
    mine = tmp_path / "mine"
    (mine / "config").mkdir(parents=True)
    (mine / "config" / "deploy.yml").write_text("service: mine\n")
    assert project.copy_project(paths, mine) == [mine / ".kamal" / "secrets"]
    assert (mine / "config" / "deploy.yml").read_text() == "service: mine\n"
    assert (mine / ".kamal" / "secrets").stat().st_mode & 0o777 == 0o600
    assert project.copy_project(paths, mine) == []


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("python3.11/asyncio/base_events.py", False),
        ("python3.11/http/server.py", False),
        ("python3.11/unittest/case.py", False),
        ("python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", False),
        ("python3.11/test/test_os.py", True),
        ("python3.11/idlelib/editor.py", True),
        ("python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a", True),
        ("python3.11/lib-dynload/_tkinter.cpython-311-x86_64-linux-gnu.so", True),
        ("python3.11/__pycache__/os.cpython-311.opt-1.pyc", True),
    ],
)
def test_base_image_leaves_out_what_servers_never_import(path: str, left_out: bool) -> None:
    """The base image stays small: tests, editors and graphics are not in it, the rest of the library is."""
    assert bool(UNUSED.search(path)) is left_out


def test_manifest_is_plain_json(paths: Paths) -> None:
    """A person who has to clean up by hand can read the manifest."""
    MANIFEST.save(paths)
    assert json.loads(paths.manifest.read_text())["bridge"] == "ks12345678"
