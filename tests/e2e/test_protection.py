"""An app that `x-pykamal/proxy` protects, on a real server (docs/proxy.md, protections)."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from email.message import Message

import pytest

from pykamal.sandbox.host import Host
from tests.e2e.application import Application

pytestmark = pytest.mark.e2e

PASSWORD = "wonder land"
PROTECTIONS = {
    "engine": "pykamal",
    "run": {"client_header_timeout": 7},
    "basic_auth": {"users": {"alice": "ALICE_PASSWORD"}, "except": ["/up"]},
    "rate_limit": {"requests_per_second": 1, "burst": 5},
    "security_headers": {"X-Frame-Options": "DENY"},
}


def test_a_protected_app(application: Application) -> None:
    """The protections in deploy.yml hold on the host, and only the password's hash is there."""
    settings = application.settings()["x-pykamal"]
    application.configure(**{"x-pykamal": settings | {"proxy": PROTECTIONS}})
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text(f"{secrets.read_text()}ALICE_PASSWORD='{PASSWORD}'\n")
    outcome = application.kamal("setup", "-v")
    host = application.hosts[0]

    assert asked(host)[0] == 401
    status, headers = asked(host, user="alice")
    assert (status, headers["X-Frame-Options"]) == (200, "DENY")
    assert asked(host, path="/up")[0] == 200
    assert 429 in [asked(host, path="/up")[0] for _ in range(12)]

    users = host.read("/root/.kamal/proxy/apps-config/hello/auth/users")
    assert users.startswith("alice:$2b$")
    told = host.docker("inspect", "kamal-proxy") + host.docker("logs", "kamal-proxy")
    assert "--client-header-timeout" in told
    for place in (users, told, outcome.text):
        assert PASSWORD not in place


def asked(host: Host, *, path: str = "/version", user: str | None = None) -> tuple[int, Message]:
    """Status and headers of one request."""
    request = urllib.request.Request(f"http://{host.address}{path}")
    if user is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers
