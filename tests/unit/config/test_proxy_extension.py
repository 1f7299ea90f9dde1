"""The settings below `x-pykamal/proxy`."""

from __future__ import annotations

import pytest
import yaml

from pykamal.config.models import ProxyEngine, ProxyExtension
from pykamal.config.schema import section
from tests.config_catalogue import OWN_KEYS, changed
from tests.config_world import loaded, refused

pytestmark = pytest.mark.unit


def _proxy(text: str) -> ProxyExtension:
    return loaded(changed("service: app") + f"x-pykamal: {{proxy: {text}}}\n").extension.proxy


def test_everything_is_off_by_default() -> None:
    """Without the key, the hosts run Ruby Kamal's proxy, and nothing is limited."""
    assert loaded(changed("service: app")).extension.proxy == ProxyExtension()
    assert ProxyExtension().engine is ProxyEngine.KAMAL_PROXY


def test_all_keys() -> None:
    """Each key of the schema reaches the model."""
    proxy = loaded(changed("service: app") + OWN_KEYS).extension.proxy
    assert proxy.engine is ProxyEngine.PYKAMAL
    assert proxy.users == {"alice": "ALICE_PASSWORD"}
    assert proxy.settings == {
        "client_header_timeout": 10,
        "client_body_timeout": 20,
        "proxy_protocol_from": ("10.0.0.1", "2001:db8::/32"),
        "trusted_proxies": ("10.0.0.0/8",),
        "allow": ("192.0.2.0/24",),
        "deny": ("192.0.2.7",),
        "rate_limit": 0.5,
        "rate_limit_burst": 3,
        "connection_limit": 4,
        "body_limit": 1000,
        "basic_auth_realm": "Staging",
        "basic_auth_except": ("/up",),
        "security_headers": (
            "Strict-Transport-Security: max-age=31536000",
            "X-Content-Type-Options: nosniff",
            "x-frame-options: DENY",
            "Permissions-Policy: camera=(), geolocation=()",
        ),
    }


@pytest.mark.parametrize("name", ["x-pykamal", "x-pykamal-proxy"])
def test_the_sample_has_all_keys(name: str) -> None:
    """So that the comparison with Ruby Kamal (tests/parity) is made with each of them."""
    written = yaml.safe_load(OWN_KEYS)["x-pykamal"]
    if name == "x-pykamal-proxy":
        written = written["proxy"]
    for key, setting in section(name)["properties"].items():
        assert key in written
        assert all(inner in written[key] for inner in setting.get("properties", {})), key


@pytest.mark.parametrize(("value", "count"), [("true", 4), ("false", 0), ("{}", 4)])
def test_security_headers_by_a_word(value: str, count: int) -> None:
    """`true` and an empty map are the defaults, `false` is none."""
    settings = _proxy(f"{{engine: pykamal, security_headers: {value}}}").settings
    assert len(settings.get("security_headers", ())) == count


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("engine: nginx", "/engine: should be kamal-proxy or pykamal"),
        ("rate: 5", ": unknown key: rate"),
        ("allow: [10.0.0.0/33]", "/allow/0: should be an address or a network such as 10.0.0.0/8"),
        ("deny: ['fe80::1%eth0']", "/deny/0: should be an address or a network such as 10.0.0.0/8"),
        ("deny: [example.com]", "/deny/0: should be an address or a network such as 10.0.0.0/8"),
        ("trusted_proxies: 10.0.0.1", "/trusted_proxies: should be an array"),
        ("run: {proxy_protocol_from: [x]}", "/run/proxy_protocol_from/0: should be an address or a network"),
        ("run: {client_header_timeout: 0}", "/run/client_header_timeout: should be 1 or more"),
        ("rate_limit: {burst: 5}", "/rate_limit: requests_per_second is required"),
        ("rate_limit: {requests_per_second: many}", "/rate_limit/requests_per_second: should be a number"),
        (
            "rate_limit: {requests_per_second: -0.5}",
            "/rate_limit/requests_per_second: should be 0.001 or more",
        ),
        (
            "rate_limit: {requests_per_second: .nan}",
            "/rate_limit/requests_per_second: should be at most 1000000",
        ),
        ("rate_limit: {requests_per_second: 1, burst: -1}", "/rate_limit/burst: should be 0 or more"),
        ("connection_limit: 0", "/connection_limit: should be 1 or more"),
        ("body_limit: 1.5", "/body_limit: should be an integer"),
        ("body_limit: 68719476737", "/body_limit: should be at most 68719476736"),
        ("run: {client_body_timeout: 9999999999}", "/run/client_body_timeout: should be at most 1000000000"),
        ("basic_auth: {realm: x}", "/basic_auth: users are required"),
        ('basic_auth: {users: {"a:b": X}}', "/basic_auth/users: 'a:b' cannot be a user name"),
        ('basic_auth: {users: {"#a": X}}', "/basic_auth/users: '#a' cannot be a user name"),
        ('basic_auth: {users: {a: ""}}', "/basic_auth/users/a: should be the name of a secret"),
        ('basic_auth: {users: {a: X}, realm: "a\\nb"}', "/basic_auth/realm: should be printable ASCII"),
        ("basic_auth: {users: {a: X}, except: [up]}", "/basic_auth/except/0: should be a path that starts with"),
        ("basic_auth: {users: {a: X}, except: ['/up?a=1']}", "/basic_auth/except/0: should be a path alone, without"),
        ("security_headers: {'a b': x}", "/security_headers/a b: is no header name"),
        ("security_headers: {X-Own: true}", "/security_headers/X-Own: should be the header's value"),
        (
            "security_headers: {Transfer-encoding: x}",
            "/security_headers/Transfer-encoding: cannot be chosen: the proxy",
        ),
        ('security_headers: {X-Own: " "}', "/security_headers/X-Own: should be the header's value, or false"),
        ('security_headers: {X-Own: "a\\r\\nb"}', "/security_headers/X-Own: should be printable ASCII"),
    ],
)
def test_what_cannot_work_is_refused(settings: str, message: str) -> None:
    """With the place and what was expected instead."""
    engine = "" if settings.startswith("engine") else "engine: pykamal, "
    text = changed("service: app") + f"x-pykamal: {{proxy: {{{engine}{settings}}}}}\n"
    assert refused(text).message.startswith(f"x-pykamal/proxy{message}")


def test_an_address_that_yaml_reads_as_a_symbol() -> None:
    """`::1` without quotes is Ruby's `:":1"`, of which nobody would guess what is wrong."""
    text = changed("service: app") + "x-pykamal:\n  proxy:\n    engine: pykamal\n    deny:\n      - ::1\n"
    assert refused(text).message.startswith("x-pykamal/proxy/deny/0: should be in quotes")


@pytest.mark.parametrize("engine", ["", "engine: kamal-proxy, "])
@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ("deny: [192.0.2.1]", "deny"),
        ("run: {client_header_timeout: 5}", "run"),
        ("security_headers: true", "security_headers"),
    ],
)
def test_protections_need_our_engine(engine: str, settings: str, key: str) -> None:
    """Ruby Kamal's proxy knows none of the flags, so nothing may look protected that is not."""
    text = changed("service: app") + f"x-pykamal: {{proxy: {{{engine}{settings}}}}}\n"
    expected = f"x-pykamal/proxy/{key}: needs `engine: pykamal`; Ruby Kamal's proxy does not know it"
    assert refused(text).message == expected


def test_nothing_to_protect_with_needs_no_engine() -> None:
    """Empty and false settings are none."""
    assert _proxy("{deny: [], security_headers: false}") == ProxyExtension()
