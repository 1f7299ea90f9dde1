"""The check that a host can take part in a deploy."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.commands import readiness
from pykamal.commands.command import Effect
from pykamal.config.models import Config, Proxy, ProxyRun
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

LISTENER = 'LISTEN 0 5 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=42,fd=6))'


def configured(**run: object) -> Config:
    return config(replace(role("web", "h"), proxy=Proxy(run=ProxyRun(**run) if run else None)))  # type: ignore[arg-type]


def shell(line: str, folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run a line where these programs are scripts of the test."""
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_lines() -> None:
    """They only look; the ports asked for are those that the proxy publishes."""
    ports = readiness.engine_and_ports(configured(http_port=8080, https_port=8443), "h")
    assert readiness.engine().display_text() == "docker container ls --quiet --filter 'name=^kamal-proxy$'"
    assert "'( sport = :8080 or sport = :8443 )'" in ports.display_text()
    assert {each.effect for each in (readiness.disks(), readiness.engine(), ports)} == {Effect.READ}


@pytest.mark.parametrize("run", [{"publish": False}, {"bind_ips": ("10.0.0.1",)}])
def test_ports_that_say_nothing_are_not_looked_at(run: dict[str, object]) -> None:
    """A listener on another address is in nobody's way."""
    assert readiness.engine_and_ports(configured(**run), "h") == readiness.engine()


@pytest.mark.process
@pytest.mark.parametrize(
    ("docker", "ss", "status"),
    [
        ("true", "true", 0),
        ("true", "exit 127", 0),
        ("echo 1234", f"echo '{LISTENER}'", 0),
        ("true", f"echo '{LISTENER}'", readiness.PORT_TAKEN_STATUS),
        ("echo Cannot connect >&2; exit 1", "true", 1),
    ],
    ids=["free", "no ss", "proxy runs", "taken", "no engine"],
)
def test_engine_and_ports(tmp_path: Path, docker: str, ss: str, status: int) -> None:
    """The ports count only where no proxy runs; who has them is on standard error."""
    line = readiness.engine_and_ports(configured(), "h").shell_text()
    done = shell(line, tmp_path, docker=docker, ss=ss)
    assert done.returncode == status, done.stderr
    assert (LISTENER in done.stderr) == (status == readiness.PORT_TAKEN_STATUS)


@pytest.mark.process
def test_ports_of_boot_config_are_not_looked_at(tmp_path: Path) -> None:
    """spec/cli.md 14.7: the options file may publish others."""
    (tmp_path / ".kamal/proxy").mkdir(parents=True)
    (tmp_path / ".kamal/proxy/options").write_text("--publish 8080:80")
    line = readiness.engine_and_ports(configured(), "h").shell_text()
    assert shell(line, tmp_path, docker="true", ss=f"echo '{LISTENER}'").returncode == 0


@pytest.mark.process
@pytest.mark.parametrize(("free", "status"), [(1023, readiness.DISK_FULL_STATUS), (1024, 0)])
def test_disks(tmp_path: Path, free: int, status: int) -> None:
    """Less than a megabyte is full, and which one is told."""
    sizes = f"echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'; echo 'tmpfs 9 9 {free} 99% /root'"
    done = shell(readiness.disks().shell_text(), tmp_path, df=sizes)
    assert done.returncode == status
    assert ("/root" in done.stderr) == (status != 0)
