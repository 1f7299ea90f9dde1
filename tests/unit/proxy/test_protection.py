"""The pure parts of the proxy's protections; what they do is in tests/conformance/test_protection.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.proxy.arguments import Call, parse
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.protection import (
    canonical_network,
    document_of,
    load_users,
    protection_from_flags,
    protection_from_state,
    require_networks,
    state_of,
)
from pykamal.proxy.run_settings import settings_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
        ("::1", "::1/128"),
        ("2001:DB8::1/33", "2001:db8::/33"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_networks_have_one_form(written: str, canonical: str) -> None:
    """The data plane reads that form alone (kamal/networks.lua)."""
    assert canonical_network(written) == canonical


@pytest.mark.parametrize(
    "text", ["", "x", "10.0.0", "10.0.0.0/33", "fe80::1%eth0", "10.0.0.1 ", "::/129", "10.0.0.0/8/8"]
)
def test_what_is_no_network(text: str) -> None:
    """A zone belongs to no network either."""
    with pytest.raises(ProxyError, match='for "--deny" flag'):
        require_networks("deny", [text])


def _deploy(*flags: str) -> Call:
    call = parse(["deploy", "s", "--target", "t:80", *flags])
    assert isinstance(call, Call)
    return call


def test_state_and_back() -> None:
    """Everything survives; nothing is written for a service without protections, and unknown keys are ignored."""
    flags = ("--allow", "10.0.0.0/8,::1", "--rate-limit", "0.5", "--rate-limit-burst=3", "--connection-limit", "4")
    lines = ("--security-header", "A: b, c", "--security-header", "D: e", "--basic-auth-except", '"/a,b",/up')
    protection = protection_from_flags(_deploy(*flags, *lines).values)
    assert protection["security_headers"] == ("A: b, c", "D: e")
    assert protection["basic_auth_except"] == ("/a,b", "/up")
    record = state_of(protection)
    record["pykamal_protection"] |= {"of another version": 1}  # type: ignore[operator]
    assert protection_from_state(record) == protection
    assert state_of({}) == {}
    assert protection_from_state({"pykamal_protection": None}) == {} == protection_from_flags(_deploy().values)


@pytest.mark.parametrize(
    "header", ["Content-Length: 4", "transfer-encoding: chunked", "A\r\nB: c", "A: b\r\nC: d", "A b: c"]
)
def test_headers_that_would_change_the_answers_frame(header: str) -> None:
    """A service chooses headers, not where its answers end."""
    with pytest.raises(ProxyError, match="security-header must"):
        protection_from_flags(_deploy("--security-header", header).values)


@pytest.mark.parametrize("rate", ["0.5", "20"])
def test_the_burst_is_one_seconds_worth(rate: str) -> None:
    """Unless it is given; kamal/protection.lua makes it of the rate (tests/conformance/test_protection.py)."""
    document = document_of(protection_from_flags(_deploy("--rate-limit", rate).values), {})
    assert isinstance(document, dict)
    assert (document["rate_limit"], document["rate_limit_burst"]) == (float(rate), -1)


@pytest.mark.parametrize("text", ["", "# nobody\n", "alice\n", "alice:\n", "alice:plain\n", ":$2b$10$x\n"])
def test_users_that_cannot_be_meant(tmp_path: Path, text: str) -> None:
    """A file without users, without a hash or with a password as it is, opens nothing."""
    file = tmp_path / "users"
    file.write_text(text)
    with pytest.raises(ProxyError, match="unable to load basic auth users"):
        load_users(str(file))


def test_run_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with every flag of `run`: the prefixed name wins, what cannot be read is ignored (spec/proxy.md 3.2)."""
    monkeypatch.setenv("CLIENT_HEADER_TIMEOUT", "5s")
    monkeypatch.setenv("KAMAL_PROXY_CLIENT_HEADER_TIMEOUT", "7s")
    monkeypatch.setenv("CLIENT_BODY_TIMEOUT", "soon")
    monkeypatch.setenv("PROXY_PROTOCOL_FROM", "10.0.0.1,10.1.0.0/16")
    call = parse(["run"])
    assert isinstance(call, Call)
    settings = settings_of(call)
    assert settings.client_header_timeout == 7_000_000_000
    assert settings.client_body_timeout == 3600_000_000_000
    assert settings.proxy_protocol_from == ("10.0.0.1/32", "10.1.0.0/16")
