"""The image of a host's proxy, and the lines that put one proxy in another's place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.commands import proxy, proxy_image
from pykamal.commands.command import Command
from pykamal.config.models import Config, Extension, Proxy, ProxyRun
from pykamal.config.models.proxy_extension import ProxyEngine, ProxyExtension
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

HOST = "10.0.0.1"
OWN = "pykamal/kamal-proxy:v0.9.2"


def configured(
    engine: ProxyEngine, settings: ProxyRun | None = None, limits: dict[str, object] | None = None
) -> Config:
    extension = Extension(proxy=ProxyExtension(engine=engine, settings=limits or {}))
    return config(replace(role("web", HOST), proxy=Proxy(run=settings)), extension=extension)


@pytest.mark.parametrize(
    ("engine", "settings", "expected"),
    [
        (ProxyEngine.KAMAL_PROXY, ProxyRun(), "basecamp/kamal-proxy:v0.9.2"),
        (ProxyEngine.PYKAMAL, None, OWN),
        (ProxyEngine.PYKAMAL, ProxyRun(), OWN),
        (ProxyEngine.PYKAMAL, ProxyRun(registry="ghcr.io", version="v1"), "ghcr.io/pykamal/kamal-proxy:v1"),
        (ProxyEngine.PYKAMAL, ProxyRun(registry="ghcr.io", repository="us/proxy"), "ghcr.io/us/proxy:v0.9.2"),
        (ProxyEngine.KAMAL_PROXY, ProxyRun(repository="us/proxy"), "us/proxy:v0.9.2"),
    ],
)
def test_the_engine_chooses_the_image(engine: ProxyEngine, settings: ProxyRun | None, expected: str) -> None:
    """A repository in `proxy/run` takes precedence; the default tag is never below Kamal's minimum."""
    assert proxy_image.reference(configured(engine, settings), HOST) == expected
    assert f" {expected}" in proxy.run(configured(engine, settings), HOST).display_text()


def test_limits_are_passed_to_our_proxy() -> None:
    """x-pykamal/proxy/run: flags of `run`, after those that Kamal knows."""
    limits = {"client_header_timeout": 10, "client_body_timeout": 60, "proxy_protocol_from": ("10.0.0.0/8", "::1")}
    flags = (
        '--client-header-timeout "10s" --client-body-timeout "60s" '
        '--proxy-protocol-from "10.0.0.0/8" --proxy-protocol-from "::1"'
    )
    given = configured(ProxyEngine.PYKAMAL, ProxyRun(debug=True), limits)
    assert proxy.run(given, HOST).display_text().endswith(f"{OWN} kamal-proxy run --debug {flags}")


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_limits_beside_the_files_of_boot_config(shell: str, tmp_path: Path) -> None:
    """Options and run command of the files stay, the image is ours; flags have a run command."""
    line = proxy.run(configured(ProxyEngine.PYKAMAL, limits={"client_header_timeout": 10}), HOST)
    shown = Command(line.node.left)  # type: ignore[union-attr]
    ports = b"--publish 80:80 --publish 443:443 --log-opt max-size=10m"
    printed = run(shown, directory=tmp_path, shell=shell).stdout
    assert printed == ports + f" {OWN} kamal-proxy run --client-header-timeout 10s\n".encode()
    (tmp_path / ".kamal/proxy").mkdir(parents=True)
    (tmp_path / ".kamal/proxy/run_command").write_text("kamal-proxy run --debug")
    (tmp_path / ".kamal/proxy/image").write_text("elsewhere/kamal-proxy")
    printed = run(shown, directory=tmp_path, shell=shell).stdout
    assert printed == ports + f" {OWN} kamal-proxy run --debug --client-header-timeout 10s\n".encode()


def test_our_image_is_pulled_only_from_a_registry_that_is_named() -> None:
    """At a public registry its name may be anybody's."""
    assert "docker pull" not in proxy_image.ensure(configured(ProxyEngine.PYKAMAL), HOST).display_text()
    named = configured(ProxyEngine.PYKAMAL, ProxyRun(registry="127.0.0.1:5000"))
    assert proxy_image.ensure(named, HOST).display_text().endswith(f"docker pull 127.0.0.1:5000/{OWN}")
    assert "docker pull" in proxy_image.ensure(configured(ProxyEngine.KAMAL_PROXY), HOST).display_text()


@pytest.mark.parametrize(
    ("image", "has"),
    [(OWN, False), ("ghcr.io/a/b:v1", True), ("localhost/a", True), ("host:5000/a", True), ("busybox", False)],
)
def test_a_reference_with_a_registry(image: str, has: bool) -> None:
    """The rule by which Docker tells a registry from a user of its own."""
    assert proxy_image.has_registry(image) is has


def test_the_container_is_the_same_whether_made_or_run() -> None:
    """`docker create` gets the words of `docker run` but for `--detach` and the name."""
    for settings in (None, ProxyRun(metrics_port=9090, options={"memory": "1g"})):
        given = configured(ProxyEngine.KAMAL_PROXY, settings)
        made = proxy.create(given, HOST, name="other").display_text()
        changes = {"docker run": "docker create", " --detach": "", "--name kamal-proxy": "--name other"}
        expected = proxy.run(given, HOST).display_text()
        for before, after in changes.items():
            expected = expected.replace(before, after)
        assert made == expected
