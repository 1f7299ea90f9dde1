"""The application that both tools deploy: many versions of a tiny one, pushed before anything is measured."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from yaml import safe_dump, safe_load

from pykamal.sandbox.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
KAMAL = ROOT / ".venv" / "bin" / "kamal"
RUBY_KAMAL = ROOT / ".cache" / "oracle" / "bin" / "kamal"


def make_project(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """A Git repository with the application and the sandbox's configuration; the environment to run the tools with."""
    shutil.copytree(ROOT / "benchmarks" / "app", folder)
    shutil.copy("/bin/busybox", folder)
    sandbox.copy_project(folder)
    for arguments in (
        ("init", "-q", "-b", "main"),
        ("config", "user.email", "benchmark@example.com"),
        ("config", "user.name", "Benchmark"),
        ("add", "-A"),
        ("commit", "-q", "-m", "hello"),
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return {**os.environ, **sandbox.environment(), "NO_COLOR": "1"}


def push_versions(sandbox: Sandbox, folder: Path, versions: list[str]) -> None:
    """Build and push an image for each version; they differ in one small layer."""
    for version in versions:
        (folder / "VERSION").write_text(f"{version}\n")
        sandbox.build_app(folder, f"hello/app:{version}")
    subprocess.run(["git", "checkout", "-q", "VERSION"], cwd=folder, check=True)


def with_hosts(folder: Path, addresses: list[str]) -> Path:
    """A configuration for some of the hosts."""
    settings = safe_load((folder / "config" / "deploy.yml").read_text())
    settings["servers"] = {"web": {"hosts": addresses}}
    path = folder / "config" / f"deploy-{len(addresses)}.yml"
    path.write_text(safe_dump(settings, sort_keys=False))
    return path


def with_large_file(folder: Path) -> Path:
    """The configuration of a grown application, in the project's folder."""
    return Path(shutil.copy(ROOT / "benchmarks" / "large.yml", folder / "config" / "large.yml"))
