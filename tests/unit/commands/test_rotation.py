"""Rotations of secrets that are taken back, by a real shell, with a stand-in for Docker whose containers are files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from pykamal.commands import rotation
from pykamal.commands.command import Command
from pykamal.config.models import Accessory
from tests.unit.samples import role

pytestmark = [pytest.mark.unit, pytest.mark.process]

DOCKER = """#!/bin/sh
[ "$1" = container ] && shift
verb=$1; shift
cd "$CONTAINERS" || exit 1
case $verb in
  start) [ -e "$1" ] && echo running > "$1" ;;
  stop) [ -e "$1" ] && echo exited > "$1" ;;
  rename) [ -e "$1" ] && [ ! -e "$2" ] && mv "$1" "$2" ;;
  rm) [ "$1" = --force ] && rm -f "$2" ;;
  inspect)
    if [ "$1" = --format ]; then [ -e "$3" ] && grep -qx running "$3" && echo true || echo false
    else [ -e "$1" ]; fi ;;
  ls) for each in *; do [ -e "$each" ] && echo "$each"; done | grep -x app-worker-v1 ;;
esac
"""
OLD = "app-db_replaced_0123456789abcdef"
DB = Accessory("db", "app-db", "db:1", ("10.0.0.1",))
WORKER = role("worker", "10.0.0.1")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder with `docker`, the containers and the env files."""
    (tmp_path / "containers").mkdir()
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    return tmp_path


def after(host: Path, command: Command, containers: Mapping[str, str], files: Mapping[str, str]) -> dict[str, str]:
    """Run a command, and return the state of each container and the content of each env file."""
    folder = host / "containers"
    for name, state in containers.items():
        (folder / name).write_text(f"{state}\n")
    for name, content in files.items():
        (host / name).write_text(content)
    environment = {**os.environ, "PATH": f"{host}:{os.environ['PATH']}", "CONTAINERS": str(folder)}
    subprocess.run(["sh", "-s"], input=command.shell_text(), text=True, env=environment, cwd=host, check=False)
    return {each.name: each.read_text().strip() for each in (*folder.iterdir(), *host.glob("*.env*"))}


@pytest.mark.parametrize(
    "begun",
    [
        {"app-db": "running"},
        {"app-db": "exited"},
        {OLD: "exited"},
        {"app-db": "running", OLD: "exited"},
        {"app-db": "exited", OLD: "exited"},
    ],
)
def test_an_accessory_runs_again_wherever_its_rotation_was_broken_off(begun: dict[str, str], host: Path) -> None:
    """Before the container was renamed the env file is the old one yet; behind that, its copy is put back."""
    renamed = OLD in begun
    files = {"db.env": "new", "db.env.before": "old"} if renamed else {"db.env": "old", "db.env.before": "old"}
    found = after(host, rotation.restore_accessory(DB, OLD, "db.env"), begun, files)
    assert found.pop("app-db") == "running"
    assert found.pop("db.env") == "old"
    assert found in ({}, {"db.env.before": "old"})


def test_an_accessory_that_was_rotated_to_the_end_is_left_alone(host: Path) -> None:
    """Its old container is gone: the new one and the new env file stay."""
    found = after(host, rotation.restore_accessory(DB, OLD, "db.env"), {"app-db": "running"}, {"db.env": "new"})
    assert found == {"app-db": "running", "db.env": "new"}


@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_role_without_proxy_runs_again(state: str, host: Path) -> None:
    """The interrupt may come when the old container has been stopped for the new one."""
    old = "v1_replaced_0123456789abcdef"
    begun = {"app-worker-v1": "running", f"app-worker-{old}": state}
    command = rotation.restore_role(WORKER, "v1", old, "worker.env")
    found = after(host, command, begun, {"worker.env": "new", "worker.env.before": "old"})
    assert found == {"app-worker-v1": "running", "worker.env": "old"}


def test_a_copy_that_cannot_be_made_leaves_no_older_one(host: Path) -> None:
    """An older copy would be taken for that of this run."""
    (host / "db.env").mkdir()  # which `cp` does not copy
    (host / "db.env.before").write_text("older")
    environment = {**os.environ, "PATH": f"{host}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-s"], input=rotation.keep("db.env").shell_text(), text=True, env=environment, cwd=host, check=False
    )
    assert done.returncode != 0
    assert not (host / "db.env.before").exists()
