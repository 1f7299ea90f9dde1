"""Routing: spec/proxy.md 23.2 (cases 31 to 53) and section 5."""

from __future__ import annotations

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy
from tests.conformance.scripted_target import Target


def test_case_031_a_service_answers_for_its_host_only(proxy: Proxy, t1: Target) -> None:
    """Another host is 404."""
    proxy.deploy("s", t1, "--host", "example.com")
    assert proxy.ask(host="example.com").status == 200
    assert proxy.ask(host="other.com").status == 404


def test_case_032_the_port_in_the_host_header_is_ignored(proxy: Proxy, t1: Target) -> None:
    """`example.com:8080` is routed like `example.com`."""
    proxy.deploy("s", t1, "--host", "example.com")
    assert proxy.ask(host="example.com:8080").status == 200


def test_case_033_a_wildcard_covers_one_level(proxy: Proxy, t1: Target) -> None:
    """`*.example.com` takes `x.example.com`, neither `example.com` nor `a.x.example.com`."""
    proxy.deploy("wild", t1, "--host", "*.example.com")
    assert proxy.ask(host="x.example.com").status == 200
    assert proxy.ask(host="example.com").status == 404
    assert proxy.ask(host="a.x.example.com").status == 404


def test_case_034_an_exact_host_beats_a_wildcard(proxy: Proxy, t1: Target, t2: Target) -> None:
    """The exact host's bindings alone count."""
    proxy.deploy("wild", t2, "--host", "*.example.com")
    proxy.deploy("exact", t1, "--host", "app.example.com")
    assert proxy.ask(host="app.example.com").served_by == "T1"
    assert proxy.ask(host="x.example.com").served_by == "T2"


def test_case_035_a_service_without_hosts_takes_the_rest(proxy: Proxy, t1: Target, t3: Target) -> None:
    """The default service serves every host that has no binding of its own."""
    proxy.deploy("d", t3)
    proxy.deploy("s", t1, "--host", "example.com")
    assert proxy.ask(host="other.com").served_by == "T3"
    assert proxy.ask(host="example.com").served_by == "T1"


def test_case_036_there_is_no_second_try(proxy: Proxy, t1: Target, t3: Target) -> None:
    """A host with bindings whose prefixes do not match is 404, whatever the default service would do."""
    proxy.deploy("d", t3)
    proxy.deploy("s", t1, "--host", "example.com", "--path-prefix", "/only")
    assert proxy.ask("/", host="example.com").status == 404
    assert proxy.ask("/only/echo", host="example.com").served_by == "T1"
    proxy.deploy("w", t1, "--host", "*.wild.com", "--path-prefix", "/only")
    assert proxy.ask("/", host="a.wild.com").status == 404
    assert proxy.ask("/", host="a.b.wild.com").served_by == "T3"


def test_case_037_the_longest_prefix_on_a_segment_boundary_wins(
    proxy: Proxy, t1: Target, t2: Target, t3: Target
) -> None:
    """The matched prefix is removed; `/apix` is not under `/api`."""
    proxy.deploy("a", t1, "--path-prefix", "/api")
    proxy.deploy("b", t2, "--path-prefix", "/api/v1")
    proxy.deploy("root", t3)
    expected = {
        "/api/v1/z": ("T2", "/z"),
        "/api/v10/z": ("T1", "/v10/z"),
        "/apix": ("T3", "/apix"),
        "/api": ("T1", "/"),
        "/api/": ("T1", "/"),
        "/api?q=1": ("T1", "/?q=1"),
        "/api//x": ("T1", "//x"),
    }
    for path, (name, target) in expected.items():
        seen = proxy.ask(path).seen
        assert (seen["name"], seen["target"]) == (name, target), path


def test_case_038_several_prefixes_of_one_service(proxy: Proxy, t1: Target) -> None:
    """Each is removed."""
    proxy.deploy("s", t1, "--path-prefix", "/a,/b")
    assert [proxy.ask(f"{prefix}/x").seen["target"] for prefix in ("/a", "/b")] == ["/x", "/x"]


def test_case_039_stripping_can_be_turned_off(proxy: Proxy, t1: Target) -> None:
    """The raw path is then forwarded unchanged."""
    proxy.deploy("s", t1, "--path-prefix", "api/v1/", "--strip-path-prefix=false")
    assert proxy.ask("/api/v1/a%2Fb?c").seen["target"] == "/api/v1/a%2Fb?c"
    assert proxy.listing()[0][2] == "/api/v1"


def test_case_040_prefixes_are_case_sensitive(proxy: Proxy, t1: Target) -> None:
    """`/API/x` is not under `/api`."""
    proxy.deploy("s", t1, "--path-prefix", "/api")
    assert proxy.ask("/API/x").status == 404


def test_case_041_double_slashes_are_not_folded(proxy: Proxy, t1: Target, t3: Target) -> None:
    """`//api/x` is not under `/api`."""
    proxy.deploy("a", t1, "--path-prefix", "/api")
    proxy.deploy("root", t3)
    seen = proxy.ask("//api/x").seen
    assert (seen["name"], seen["target"]) == ("T3", "//api/x")


def test_case_042_matching_uses_the_decoded_path(proxy: Proxy, t1: Target) -> None:
    """`/%61pi/x` is under `/api`; what follows the prefix keeps its own spelling, a slash at its beginning apart."""
    proxy.deploy("a", t1, "--path-prefix", "/api")
    assert proxy.ask("/%61pi/a%2Fb").seen["target"] == "/a%2Fb"
    assert proxy.ask("/api%2fx%2Fy?z").seen["target"] == "/x%2Fy?z"
    assert proxy.ask("/api?z").seen["target"] == "/?z"


@pytest.mark.parametrize("path", ["/a%2Fb", "//x//y", "/a/../b", "/sp%20ace", "/%C3%A4?%zz"])
def test_case_043_raw_paths_arrive_unchanged(proxy: Proxy, t1: Target, path: str) -> None:
    """Nothing is decoded, folded or encoded again, with and without buffering."""
    proxy.deploy("s", t1, "--buffer-requests", "--buffer-responses")
    assert proxy.ask(path).seen["target"] == path
    proxy.deploy("s", t1)
    assert proxy.ask(path).seen["target"] == path


def test_case_044_queries_arrive_unchanged(proxy: Proxy, t1: Target) -> None:
    """Semicolons and broken escapes included."""
    proxy.deploy("s", t1)
    assert proxy.ask("/x?p=a;b=%zz&c").seen["target"] == "/x?p=a;b=%zz&c"


def test_case_045_hosts_are_compared_without_case_and_final_dot(proxy: Proxy, t1: Target) -> None:
    """Deviation D6."""
    for written in ("Example.com", "example.COM."):
        proxy.deploy("s", t1, "--host", written)
        assert proxy.ask(host="EXAMPLE.com").status == 200
        assert proxy.ask(host="example.com.").status == 200
        message = proxy.refuse("deploy", "s2", "--target", t1.address, "--host", "example.com.")
        assert message == "host settings conflict with another service"


def test_a_canonical_host_with_a_final_dot(proxy: Proxy, t1: Target) -> None:
    """Is the same without it, and does not redirect to itself for ever (6, deviation D6)."""
    proxy.deploy("s", t1, "--host", "c.com,www.c.com", "--canonical-host", "c.com.")
    assert proxy.ask(host="c.com").status == 200
    assert proxy.ask("/a", host="www.c.com").header("Location") == "http://c.com/a"


def test_an_ipv6_literal_is_for_the_default_service(proxy: Proxy, t1: Target, t3: Target) -> None:
    """With and without a port; its brackets belong to it (5)."""
    proxy.deploy("d", t3)
    proxy.deploy("s", t1, "--host", "::1")
    assert [proxy.ask(host=host).served_by for host in ("[::1]", "[::1]:8080")] == ["T3", "T3"]


def test_case_046_two_default_services_conflict(proxy: Proxy, t1: Target) -> None:
    """The same host and prefix cannot belong to two services."""
    proxy.deploy("s1", t1)
    assert proxy.refuse("deploy", "s2", "--target", t1.address) == "host settings conflict with another service"


def test_case_047_exact_wildcard_and_default_never_conflict(proxy: Proxy, t1: Target) -> None:
    """They are different hosts."""
    proxy.deploy("s1", t1, "--host", "example.com")
    proxy.deploy("s2", t1, "--host", "*.example.com")
    proxy.deploy("s3", t1)


def test_case_048_a_redeploy_replaces_hosts_and_prefixes(proxy: Proxy, t1: Target) -> None:
    """The old bindings are gone with the swap."""
    proxy.deploy("s", t1, "--host", "a.com")
    proxy.deploy("s", t1, "--host", "b.com")
    assert (proxy.ask(host="a.com").status, proxy.ask(host="b.com").status) == (404, 200)


def test_case_049_remove_frees_the_host(proxy: Proxy, t1: Target, t2: Target) -> None:
    """404 afterwards, gone from the list, and another service may take its place."""
    proxy.deploy("s", t1, "--host", "example.com")
    proxy.succeed("remove", "s")
    assert proxy.ask().status == 404
    assert proxy.listing() == []
    proxy.deploy("s2", t2, "--host", "example.com")
    assert proxy.ask().served_by == "T2"


def test_case_050_http_1_0_without_host(proxy: Proxy, t1: Target) -> None:
    """The default service answers; its target sees its own address as Host."""
    proxy.deploy("d", t1)
    with proxy.connect() as connection:
        response = connection.ask(host=None, version="HTTP/1.0")
    assert response.status == 200
    assert response.seen_header("Host") == t1.address
    assert not response.seen_header("X-Forwarded-Host")


def test_case_051_an_absolute_request_target_names_the_host(proxy: Proxy, t1: Target, t2: Target) -> None:
    """It overrides the Host header."""
    proxy.deploy("a", t1, "--host", "a.com")
    proxy.deploy("b", t2, "--host", "b.com")
    assert proxy.ask("http://b.com/echo", host="a.com").served_by == "T2"


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /%zz HTTP/1.1\r\nHost: a.com\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"complete rubbish\r\n\r\n",
    ],
)
def test_case_052_malformed_requests(proxy: Proxy, t1: Target, request_head: bytes) -> None:
    """A plain-text 400, before any routing."""
    proxy.deploy("d", t1)
    with proxy.connect() as connection:
        connection.send(request_head)
        response = connection.read()
    assert response.status == 400
    assert (response.header("Content-Type") or "").startswith("text/plain")
    assert t1.requests == []


def test_case_053_options_star_is_answered_by_the_proxy(proxy: Proxy, t1: Target) -> None:
    """200, empty, and no target is contacted."""
    proxy.deploy("d", t1)
    response = proxy.ask("*", method="OPTIONS")
    assert (response.status, response.body) == (200, b"")
    assert t1.requests == []


@pytest.mark.skipif(not IS_OURS, reason="N7: nginx refuses what climbs out of the root")
def test_deviation_n7_a_path_above_the_root_is_refused(proxy: Proxy, t1: Target) -> None:
    """`/../b` is 400 (24.2 N7)."""
    proxy.deploy("d", t1)
    assert proxy.ask("/../b").status == 400
