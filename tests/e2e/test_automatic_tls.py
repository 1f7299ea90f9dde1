"""`ssl: true` on a real server: the container of the proxy gets a certificate (spec/proxy.md 7.3, 21)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from pykamal.sandbox.host import Host
from tests.conformance.acme_authority import Authority
from tests.e2e.application import Application

pytestmark = pytest.mark.e2e

NAME = "hello.example.com"
BUNDLE = "/root/authority.pem"


@pytest.fixture
def authority(application: Application) -> Iterator[Authority]:
    """On the sandbox's bridge; names lead to the first host."""
    gateway, host = application.sandbox.manifest.gateway, application.hosts[0]
    found = Authority(http_port=80, address=gateway, names_lead_to=host.address).start()
    yield found
    found.dispose()


def ask(host: Host, authority: Authority, path: str) -> str:
    """The answer over TLS that curl verified."""
    resolve = ["--resolve", f"{NAME}:443:{host.address}", "--cacert", str(authority.root)]
    command = ["curl", "-sS", *resolve, f"https://{NAME}{path}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_deploy_with_ssl_is_served_over_tls(application: Application, authority: Authority) -> None:
    """Issued at the first request, kept on the volume: a new proxy container serves the same certificate."""
    host = application.hosts[0]
    host.write(BUNDLE, authority.certificate.read_text())
    environment = {"KAMAL_PROXY_ACME_DIRECTORY": authority.url, "KAMAL_PROXY_ACME_CA_FILE": "/authority.pem"}
    options = {
        "env": [f"{name}={value}" for name, value in environment.items()],
        "volume": f"{BUNDLE}:/authority.pem:ro",
    }
    proxy = {**application.settings()["proxy"], "ssl": True, "host": NAME, "run": {"options": options}}
    application.configure(servers=[host.address], proxy=proxy)
    first = application.commit("served over TLS")
    application.kamal("setup")
    assert first in ask(host, authority, "/version")
    assert authority.issued == 1

    second = application.commit("another version")
    application.kamal("deploy")
    application.kamal("proxy", "reboot", "-y")
    assert second in ask(host, authority, "/version")
    assert authority.issued == 1
