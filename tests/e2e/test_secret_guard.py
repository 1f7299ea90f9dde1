"""`x-pykamal: {secrets: {guard: true}}` refuses to deploy where a secret leaks, before any host has anything of it."""

from __future__ import annotations

import pytest

from tests.e2e.application import Application
from tests.parity.server_state import published

pytestmark = pytest.mark.e2e

SECRET = "canary-Zx81-secret"
PHASES = ("search files and history for leaked secrets", "search image for leaked secrets")


@pytest.fixture
def guarded(application: Application) -> Application:
    """The application with a secret and the guard; its secrets file stays out of the repository."""
    (application.folder / ".kamal/scan-ignore").write_text("history:.kamal/secrets REGISTRY_PASSWORD of the sandbox\n")
    secrets = application.folder / ".kamal/secrets"
    secrets.write_text(f"{secrets.read_text()}\nTOKEN={SECRET}\n")
    application.git("rm", "-q", "--cached", ".kamal/secrets")
    (application.folder / ".gitignore").write_text(".kamal/secrets\n")
    application.configure(**{"x-pykamal": {**application.settings()["x-pykamal"], "secrets": {"guard": True}}})
    application.hook("pre-connect", "touch connected")
    application.commit("guarded")
    return application


def untouched(application: Application) -> bool:
    """True where no host has an image, a container or a file of the application."""
    return all(
        "hello" not in host.docker("ps", "--all") + host.docker("image", "ls")
        and "hello" not in host.run(["find", "/root/.kamal"], check=False)
        for host in application.hosts
    )


@pytest.mark.parametrize("command", ["setup", "deploy", "redeploy", "build push"])
def test_a_leak_in_a_file_refuses(command: str, guarded: Application) -> None:
    """No host is connected to, and nothing is built."""
    (guarded.folder / "settings.py").write_text(f"first = 1\npassword = {SECRET!r}\n")
    version = guarded.commit("leak")
    outcome = guarded.kamal(*command.split(), expect=1)
    assert "Files or the history of this repository hold secrets (x-pykamal/secrets/guard)" in outcome.text
    assert "settings.py:2:13: the value of TOKEN stands here, as it is [leaked-secret]" in outcome.text
    assert SECRET not in outcome.text
    assert not (guarded.folder / "connected").exists()
    assert published(guarded.sandbox, "hello/app", [version])[version] is None
    guarded.kamal(*command.split(), "--plan", expect=1)


@pytest.mark.parametrize("command", ["deploy", "build push"])
def test_a_leak_in_the_image_refuses(command: str, guarded: Application) -> None:
    """A leak that is made by the build is found in its layer; no host has anything of the application."""
    dockerfile = guarded.folder / "Dockerfile"
    made = f"RUN python3 -c \"print('{SECRET[::-1]}'[::-1])\" > /leak\nRUN rm /leak\n"
    dockerfile.write_text(dockerfile.read_text().replace("EXPOSE", f"{made}EXPOSE"))
    guarded.commit("leak in the image")
    outcome = guarded.kamal(*command.split(), expect=1)
    assert "holds secrets (x-pykamal/secrets/guard)" in outcome.text
    assert "image:leak: the value of TOKEN stands here" in outcome.text
    assert SECRET not in outcome.text
    assert untouched(guarded)


def test_a_clean_application_is_deployed(guarded: Application) -> None:
    """The plan names both searches; the run makes them, and deploys."""
    plan = guarded.kamal("setup", "--plan").stdout
    assert all(phase in plan for phase in PHASES)
    version = guarded.commit("clean")
    told = guarded.kamal("setup").stdout
    assert "Search files and the history for leaked secrets..." in told
    assert "Search the image for leaked secrets..." in told
    assert [guarded.version_served(host) for host in guarded.hosts] == [version, version]
    assert not untouched(guarded), "a deploy would be noticed"
