"""`kamal setup` on a host without Docker: installed from the packages of its distribution, or refused with the reason.

The host's package mirror is the real one, through a proxy on the sandbox's bridge, since the hosts have no other way
out. Where this machine does not reach the mirror either, the test of the installation is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import PREFIX
from tests.e2e.application import Application

pytestmark = pytest.mark.e2e

# The machine around the sandbox does not let a process raise its limit of open files, as the init script does; and
# cgroups are those of the sandbox.
DEFAULTS = 'ulimit() { :; }\nDOCKER_OPTS="--exec-opt native.cgroupdriver=cgroupfs"\n'


@pytest.fixture
def bare() -> Iterator[Sandbox]:
    """A sandbox of its own with one host, on which Docker was never installed."""
    sandbox = Sandbox(f"{PREFIX}{os.getpid()}-bare")
    sandbox.up(hosts=1)
    try:
        uninstall_docker(sandbox.hosts[0])
        yield sandbox
    finally:
        sandbox.down()


@pytest.fixture
def application(bare: Sandbox, tmp_path: Path) -> Application:
    return Application.create(tmp_path / "hello", bare)


def mirror() -> str:
    """A small file of the first package source of this machine, which is what the host has as well."""
    template = "$(REPO_URI)dists/$(RELEASE)/InRelease"
    done = subprocess.run(["apt-get", "indextargets", "--format", template], check=True, capture_output=True, text=True)
    return done.stdout.split()[0]


def uninstall_docker(host: Host) -> None:
    host.stop_engine()
    host.run(["dpkg", "--remove", "--force-depends", "docker.io", "docker-cli", "docker-buildx"])
    # The images stay: there is no registry in reach that has the proxy's.
    host.run(["sh", "-c", "rm -rf /run/docker /run/docker.*"])
    assert not host.run(["sh", "-c", "command -v docker dockerd"], check=False)


def test_docker_is_installed_from_the_distribution(application: Application, bare: Sandbox) -> None:
    """spec/cli.md 14.1, and the mission: where only a package mirror is in reach, setup needs nothing else."""
    host = bare.hosts[0]
    try:
        urllib.request.urlopen(mirror(), timeout=5).close()
    except OSError as error:
        pytest.skip(f"this machine does not reach a Debian mirror: {error}")
    host.write("/etc/default/docker", DEFAULTS)
    with forwarding(bare.manifest.gateway) as proxy:
        settings = f'Acquire::http::Proxy "{proxy}";\nDPkg::Options {{"--force-confold";}};\n'
        host.write("/etc/apt/apt.conf.d/00test", settings)
        outcome = application.kamal("setup")
    assert f"Missing Docker on {host.address}. Installing…" in outcome.stdout
    assert application.version_served(host) == application.git("rev-parse", "HEAD")
    assert not application.locked(host)
    host.run(["dpkg", "--verify", "docker.io"])


def test_docker_that_cannot_be_installed(application: Application, bare: Sandbox) -> None:
    """Without a mirror and without the makers' script: why not, and what to do. The plan can be seen all the same."""
    host = bare.hosts[0]
    application.configure(accessories={"jobs": {"image": "jobs:1", "host": host.address}})
    for hook in ("docker-setup", "pre-deploy", "post-deploy"):
        application.hook(hook, "exit 9")
    plan = application.kamal("setup", "--plan").stdout
    named = ("Plan of setup", "install Docker", "docker-setup", "check host", "boot jobs", "pre-deploy", "boot web")
    places = [plan.index(words) for words in (*named, "post-deploy")]
    assert places == sorted(places)
    for hook in ("docker-setup", "pre-deploy", "post-deploy"):
        (application.folder / ".kamal" / "hooks" / hook).unlink()
    outcome = application.kamal("setup", expect=1)
    assert f"Docker is not installed on {host.address} and can't be automatically installed" in outcome.stdout
    assert f"{host.address}: install packages: E: " in outcome.stdout, "apt-get's own words"
    assert f"{host.address}: install Docker: curl: " in outcome.stdout, "and curl's"
    assert "Next: give the SSH user root or sudo rights and the host a way to its package mirror" in outcome.stdout
    assert "Traceback" not in outcome.text
    assert not application.locked(host)


def test_a_user_who_may_not_install(application: Application, bare: Sandbox) -> None:
    """Neither root nor sudo: refused before anything is tried."""
    host = bare.hosts[0]
    host.add_user("guest", groups=(), sudo=False)
    keys = {"keys_only": True, "keys": [str(bare.paths.private_key)], "config": [str(bare.paths.ssh_config)]}
    application.configure(ssh={"user": "guest", **keys})
    outcome = application.kamal("setup", expect=1)
    assert f"Docker is not installed on {host.address}" in outcome.stdout
    assert "guest is neither root nor allowed to use sudo without a password" in outcome.stdout
    assert "Installing" not in outcome.stdout
    assert not host.exists("/home/guest/.kamal/lock-hello")


@contextmanager
def forwarding(address: str) -> Iterator[str]:
    """A forward proxy for plain HTTP on an address of this machine; gives its URL."""
    server = ThreadingHTTPServer((address, 0), _Forwarder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Forwarder(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kept = {name: value for name, value in self.headers.items() if name.lower() in {"if-modified-since", "range"}}
        try:
            answer = urllib.request.urlopen(urllib.request.Request(self.path, headers=kept), timeout=30)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            self.send_response(answer.status)
            for name in ("Content-Type", "Content-Length", "Content-Range", "Last-Modified"):
                if value := answer.headers.get(name):
                    self.send_header(name, value)
            self.end_headers()
            shutil.copyfileobj(answer, self.wfile)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (the name of the base class)
        """Nothing: the test's own output says what went wrong."""
