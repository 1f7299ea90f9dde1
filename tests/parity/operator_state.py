"""All that building leaves on the operator's machine, as plain data that is equal when two tools did the same."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pykamal.core.private_directories import user_cache
from tests.e2e import local_registry
from tests.e2e.application import Application

State = dict[str, Any]


def read(application: Application) -> State:
    """Images with their labels, logins, builders, contexts, the build clone, the local registry."""
    return {
        "images": _images(application),
        "logins": sorted(_docker_config(application).get("auths", {})),
        "builders": _builders(application),
        "contexts": _contexts(application),
        "clone": _clones(application),
        "local registry": _registry(application),
    }


def clear(application: Application) -> None:
    """Take all of that away."""
    sandbox = application.sandbox
    for builder in _builders(application):
        sandbox.docker("buildx", "rm", builder["name"])
    for context in _contexts(application):
        sandbox.docker("context", "rm", context["Name"])
    for image in _images(application):
        sandbox.docker("image", "rm", "--force", image)
    sandbox.docker("image", "prune", "--force", "--filter", "label=service=hello")
    for server in _docker_config(application).get("auths", {}):
        sandbox.docker("logout", server)
    local_registry.remove(sandbox)
    for folder in _clone_folders(application):
        shutil.rmtree(folder, ignore_errors=True)


def _images(application: Application) -> dict[str, Any]:
    docker = application.sandbox.docker
    chosen = ("--filter", "label=service=hello", "--filter", "dangling=false")
    names = docker("image", "ls", *chosen, "--format", "{{.Repository}}:{{.Tag}}").split()
    return {
        name: json.loads(docker("image", "inspect", "--format", "{{json .Config}}", name)) for name in sorted(names)
    }


def _docker_folder(application: Application) -> Path:
    return Path(application.environment["DOCKER_CONFIG"])


def _docker_config(application: Application) -> Any:
    return json.loads((_docker_folder(application) / "config.json").read_text())


def _builders(application: Application) -> list[dict[str, Any]]:
    """Name, driver and machines, as buildx stores them."""
    files = sorted((_docker_folder(application) / "buildx" / "instances").glob("*"))
    found = [json.loads(file.read_text()) for file in files]
    kept = ("Name", "Endpoint", "Platforms", "DriverOpts", "Flags")
    return [
        {
            "name": each["Name"],
            "driver": each["Driver"],
            "machines": [{key: node.get(key) for key in kept} for node in each["Nodes"]],
        }
        for each in found
    ]


def _contexts(application: Application) -> list[dict[str, Any]]:
    lines = application.sandbox.docker("context", "ls", "--format", "json").splitlines()
    contexts = [json.loads(line) for line in lines]
    kept = ("Name", "Description", "DockerEndpoint")
    return [{key: each[key] for key in kept} for each in contexts if each["Name"] != "default"]


def _clones(application: Application) -> State:
    """Return the place, the origin and the content of each clone."""
    found = [folder / application.folder.name for folder in _clone_folders(application)]
    clone = next(filter(Path.exists, found), None)
    if clone is None:
        return {}
    return {
        "revision": application.git("-C", str(clone), "rev-parse", "HEAD"),
        "origin": application.git("-C", str(clone), "remote", "get-url", "origin"),
        "changes": application.git("-C", str(clone), "status", "--porcelain"),
        "files": sorted(str(path.relative_to(clone)) for path in clone.rglob("*") if ".git" not in path.parts),
    }


def _clone_folders(application: Application) -> tuple[Path, Path]:
    """Ruby Kamal's, for all users of the machine, and ours (docs/differences.md)."""
    name = f"hello-{hashlib.sha256(str(application.folder).encode()).hexdigest()[:13]}"
    return Path(tempfile.gettempdir(), "kamal-clones", name), user_cache("clones", name)


def _registry(application: Application) -> Any:
    found = application.sandbox.docker("ps", "--all", "--quiet", "--filter", f"name=^{local_registry.CONTAINER}$")
    if not found:
        return None
    (container,) = json.loads(application.sandbox.docker("inspect", found.strip()))
    host = container["HostConfig"]
    return {
        "image": container["Config"]["Image"],
        "ports": host["PortBindings"],
        "restart": host["RestartPolicy"],
        "running": container["State"]["Running"],
    }
