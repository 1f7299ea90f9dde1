"""`kamal secrets scan` of images that a real engine built: each place of an image shows a planted leak."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.application import Application

pytestmark = pytest.mark.e2e

SECRET = "canary-Zx81-secret"
IMAGE = "leaks:1"
DOCKERFILE = """\
ARG REGISTRY
FROM ${REGISTRY}/sandbox/python:3.11
%s
"""
LEAKS = {
    "a file": ("COPY leak /app/leak", "image:app/leak: the value of TOKEN stands here, as it is, in layer "),
    "a file that a later layer deletes": (
        "COPY leak /app/leak\nRUN rm /app/leak",
        "image:app/leak: the value of TOKEN stands here, as it is, in layer ",
    ),
    "a variable": (f"ENV PASSWORD={SECRET}", "image:environment PASSWORD: the value of TOKEN stands here"),
    "a build argument": (f"ARG PASSWORD={SECRET}\nRUN true", "image:history step "),
    "a label": (f"LABEL note={SECRET}", "image:config/Labels/note: the value of TOKEN stands here"),
}


@pytest.fixture
def scanned(application: Application) -> Iterator[Application]:
    """The application with a secret, whose engine has the images of a test."""
    secrets = application.folder / ".kamal/secrets"
    secrets.write_text(f"{secrets.read_text()}\nTOKEN={SECRET}\n")
    application.git("rm", "-q", "--cached", ".kamal/secrets")
    application.git("commit", "-q", "-m", "no secrets file")
    (application.folder / ".kamal/scan-ignore").write_text("history:.kamal/secrets REGISTRY_PASSWORD of the sandbox\n")
    yield application
    application.sandbox.docker("image", "rm", "--force", IMAGE)


def build(application: Application, lines: str) -> None:
    folder = application.folder.parent / "image"
    folder.mkdir()
    (folder / "leak").write_text(f"first\npassword: {SECRET}\n")
    (folder / "Dockerfile").write_text(DOCKERFILE % lines)
    server = application.sandbox.manifest.registry_server
    application.sandbox.docker("build", "-q", "--build-arg", f"REGISTRY={server}", "-t", IMAGE, str(folder))


@pytest.mark.parametrize("where", LEAKS)
def test_a_leak_is_found(where: str, scanned: Application) -> None:
    """In layers, also below what a later one deletes; in the configuration and in the history."""
    lines, message = LEAKS[where]
    build(scanned, lines)
    outcome = scanned.kamal("secrets", "scan", "--image", IMAGE, expect=1)
    assert message in outcome.stderr
    assert SECRET not in outcome.text


def test_an_image_without_leaks(scanned: Application) -> None:
    """All of its layers are searched, those of its base too."""
    build(scanned, "ENV PASSWORD=elsewhere")
    outcome = scanned.kamal("secrets", "scan", "--image", IMAGE)
    assert "layers" in outcome.stdout
    assert "no leaked secret was found" in outcome.stdout
