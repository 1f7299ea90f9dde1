"""A registry on the operator's own machine, as `server: localhost:PORT` asks for it.

The image `registry:3` is in no registry in reach, so the machine's own registry program is made into one. The operator
sits at the workstation whose engine runs it: in that one's network, where the registry's port is.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pykamal.sandbox.sandbox import Sandbox
from tests.e2e.application import Application

PORT = 5555
SERVER = f"localhost:{PORT}"
CONTAINER = "kamal-docker-registry"

_SETTINGS = (
    '{"version": 0.1, "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}}, "http": {"addr": ":5000"}}'
)


def provide_image(sandbox: Sandbox, folder: Path) -> None:
    """Make `registry:3` in the operator's engine; `folder` is for building it."""
    program = shutil.which("docker-registry")
    assert program is not None, "docker-registry is missing: run scripts/setup"
    folder.mkdir()
    shutil.copy(program, folder / "docker-registry")
    (folder / "config.json").write_text(_SETTINGS)
    (folder / "Dockerfile").write_text(
        f"FROM {sandbox.manifest.registry_server}/sandbox/python:3.11\n"
        "COPY docker-registry config.json /\n"
        'ENTRYPOINT ["/docker-registry", "serve", "/config.json"]\n'
    )
    sandbox.login()
    sandbox.docker("build", "--quiet", "--tag", "registry:3", str(folder))


def use(application: Application) -> None:
    """Let the application's images go through the local registry, from the workstation."""
    sandbox = application.sandbox
    (workstation,) = (process.pid for process in sandbox.manifest.processes if process.role == "workstation")
    application.entrance = ("nsenter", f"--net=/proc/{workstation}/ns/net")
    application.configure(registry={"server": SERVER})
    sandbox.login()  # for the base image
    application.commit("with a local registry")


def remove(sandbox: Sandbox) -> None:
    sandbox.docker("rm", "--force", "--volumes", CONTAINER)


def running(sandbox: Sandbox) -> list[str]:
    """Image, ports and state of the registry's container; empty without one."""
    form = "{{.Image}} {{.Ports}} {{.State}}"
    return sandbox.docker("ps", "--all", "--filter", f"name=^{CONTAINER}$", "--format", form).splitlines()
