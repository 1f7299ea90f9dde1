"""State file, shutdown, access log and metrics: spec/proxy.md 23.11 (cases 176 to 190), sections 4, 18, 19 and 20."""

from __future__ import annotations

import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy, wait_until
from tests.conformance.raw_http import WEBSOCKET, Connection, head
from tests.conformance.scripted_target import Target
from tests.conformance.test_health_deploy import arrives, in_background

KAMAL_LOGS = ("--log-request-header", "Cache-Control,Last-Modified,User-Agent")
FIXED_KEYS = [
    *("time", "level", "msg", "host", "port", "path", "request_id", "status", "service", "target", "duration"),
    *("method", "req_content_length", "req_content_type", "resp_content_length", "resp_content_type", "client_addr"),
    *("client_port", "remote_addr", "user_agent", "proto", "scheme", "query"),
]


def test_case_176_everything_survives_a_restart(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """Pause and stop, messages, rollout and split."""
    proxy = own_proxy.start()
    for name in ("paused", "stopped", "rolled"):
        proxy.deploy(name, t1, "--host", f"{name}.com")
    proxy.succeed("pause", "paused", "--max-pause", "20s")
    proxy.succeed("stop", "stopped", "--message", "be right back")
    proxy.succeed("rollout", "deploy", "rolled", "--target", t2.address)
    proxy.succeed("rollout", "set", "rolled", "--percent", "30", "--list", "vip")
    listing = proxy.listing()
    assert proxy.stop() == 0
    proxy.start()
    assert proxy.listing() == listing
    assert b"be right back" in proxy.ask(host="stopped.com").body
    vip = proxy.ask(host="rolled.com", headers=[("Cookie", "kamal-rollout=vip")])
    assert vip.served_by == "T2"
    with proxy.connect() as held:
        held.send(head("GET", "/echo", host="paused.com"))
        assert not held.is_closed_within(0.4)
        held.close()
    proxy.succeed("resume", "paused")
    assert proxy.ask(host="paused.com").served_by == "T1"
    proxy.succeed("resume", "stopped")
    assert proxy.ask(host="stopped.com").status == 200


def test_case_177_a_bad_service_does_not_take_the_others_along(own_proxy: Proxy, t1: Target) -> None:
    """Deviation D3: its record is kept, the rest is served."""
    proxy = own_proxy.start()
    proxy.deploy("good", t1, "--host", "good.com")
    proxy.deploy("bad", t1, "--host", "bad.com")
    proxy.stop()
    records = json.loads(proxy.state_path.read_text())
    for record in records:
        if record["name"] == "bad":
            record["options"]["error_page_path"] = "/nowhere"
    proxy.state_path.write_text(json.dumps(records))
    proxy.start()
    assert proxy.ask(host="good.com").status == 200
    proxy.deploy("other", t1, "--host", "other.com")
    kept = {record["name"] for record in json.loads(proxy.state_path.read_text())}
    assert kept == {"good", "bad", "other"}
    if IS_OURS:
        proxy.succeed("remove", "bad")
        assert proxy.refuse("remove", "bad") == "service not found"
        kept = {record["name"] for record in json.loads(proxy.state_path.read_text())}
        assert kept == {"good", "other"}


def test_case_178_a_target_that_is_down_at_boot(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """Requests go to the live one after at most one check."""
    proxy = own_proxy.start()
    proxy.succeed("deploy", "s", "--target", f"{t1.address},{t2.address}", "--health-check-interval", "200ms")
    proxy.stop()
    t1.close()
    proxy.start()
    time.sleep(0.4)
    assert {proxy.ask().served_by for _ in range(4)} == {"T2"}


def test_case_179_the_first_request_is_served(own_proxy: Proxy, t1: Target) -> None:
    """No health check is needed, and the port does not open before the services are known."""
    proxy = own_proxy.start()
    proxy.deploy("s", t1)
    proxy.stop()
    checks = len(t1.checks)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(proxy.start)
        response = None
        while response is None:
            try:
                with Connection(proxy.http_port) as connection:
                    response = connection.ask()
            except ConnectionRefusedError:
                time.sleep(0.002)
        starting.result()
    assert response.status == 200
    assert len(t1.checks) == checks


def test_case_180_the_state_file(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """Keys and types of section 4, in both directions."""
    proxy = own_proxy.start()
    proxy.deploy("web", t1, "--read-target", t2.address, "--host", "a.com", "--log-request-header", "X-A")
    (record,) = json.loads(proxy.state_path.read_text())
    options, targets = record["options"], record["target_options"]
    assert (record["name"], record["active_targets"], record["active_readers"]) == ("web", [t1.address], [t2.address])
    assert (record["rollout_targets"], record["rollout_readers"], record["rollout_controller"]) == (None, None, None)
    assert record["pause_controller"] == {"state": 0, "stop_message": "", "fail_after": 0}
    assert set(options) == {
        "hosts", "path_prefixes", "tls_enabled", "tls_certificate_path", "tls_private_key_path", "tls_on_demand_url",
        "tls_redirect", "canonical_host", "acme_directory", "acme_cache_path", "error_page_path", "strip_prefix",
        "writer_affinity_timeout", "read_targets_accept_websockets", "exclude_metrics_paths", "client_ip_header",
    }  # fmt: skip
    assert set(targets) == {
        "health_check_config", "response_timeout", "buffer_requests", "buffer_responses", "max_memory_buffer_size",
        "max_request_body_size", "max_response_body_size", "log_request_headers", "log_response_headers",
        "forward_headers", "scope_cookie_paths",
    }  # fmt: skip
    assert (options["hosts"], options["path_prefixes"], options["exclude_metrics_paths"]) == (["a.com"], ["/"], None)
    assert options["acme_cache_path"] == str(proxy.home / ".config/kamal-proxy/certs")
    assert (targets["response_timeout"], targets["log_request_headers"]) == (30_000_000_000, ["X-A"])
    assert targets["health_check_config"] == {
        "path": "/up", "port": 0, "interval": 1_000_000_000, "timeout": 5_000_000_000, "host": "",
    }  # fmt: skip
    proxy.succeed("remove", "web")
    assert json.loads(proxy.state_path.read_text()) == []


def test_case_180_legacy_state(own_proxy: Proxy, t1: Target) -> None:
    """`active_target`, and hosts at the top level, are understood."""
    own_proxy.state_path.parent.mkdir(parents=True)
    record = {"name": "old", "hosts": ["old.com"], "active_target": t1.address, "unknown": {"key": 1}}
    own_proxy.state_path.write_text(json.dumps([record]))
    own_proxy.start()
    assert own_proxy.ask(host="old.com").served_by == "T1"


@pytest.mark.parametrize(
    "content", ['[{"name": "s", "opt', "", "{}", "null", "[1]", "[" * 100_000], ids=lambda content: content[:9]
)
def test_case_181_a_corrupt_state_file(own_proxy: Proxy, t1: Target, content: str) -> None:
    """The server runs, and the file is set aside."""
    own_proxy.state_path.parent.mkdir(parents=True)
    own_proxy.state_path.write_text(content)
    own_proxy.start()
    own_proxy.deploy("s", t1)
    assert own_proxy.ask().status == 200
    if IS_OURS:
        assert own_proxy.state_path.with_name("kamal-proxy.state.corrupt").read_text() == content


@pytest.mark.skipif(not IS_OURS, reason="the reference starts without any service")
def test_a_state_file_that_was_cut_off(own_proxy: Proxy, t1: Target) -> None:
    """D3: the reference writes in place, so a full disk leaves a beginning; its complete services are served."""
    proxy = own_proxy.start()
    for name in ("a", "b", "c"):
        proxy.deploy(name, t1, "--host", f"{name}.com")
    proxy.stop()
    text = proxy.state_path.read_text()
    proxy.state_path.write_text(text[: text.index('"name":"c"') + 50])
    proxy.start()
    assert [row[0] for row in proxy.listing()] == ["a", "b"]
    assert proxy.ask(host="a.com").status == 200
    (told,) = proxy.log_lines("Unable to restore saved state")
    assert (told["recovered"], "moved to" in told["error"]) == (2, True)


@pytest.mark.skipif(not IS_OURS, reason="the reference starts without any service")
def test_a_state_file_that_may_not_be_read(own_proxy: Proxy) -> None:
    """D3: a volume of another user, for instance. To start without its services would be to write it over soon."""
    own_proxy.state_path.mkdir(parents=True)
    with pytest.raises(AssertionError, match="Unable to read saved state"):
        own_proxy.start()
    assert own_proxy.process
    assert own_proxy.process.wait(timeout=10) == 1


def test_case_182_requests_in_flight_are_finished(own_proxy: Proxy, t1: Target) -> None:
    """SIGTERM: new connections are refused, the request is answered, the status is 0."""
    proxy = own_proxy.start()
    proxy.deploy("s", t1)
    old = in_background(proxy, "/sleep?s=1.5")
    wait_until(arrives(t1, "/sleep"))
    assert proxy.process
    proxy.process.send_signal(signal.SIGTERM)

    def refused() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", proxy.http_port)) != 0

    wait_until(refused, 1)
    assert not old.done()
    assert proxy.process.wait(timeout=4) == 0
    assert old.result(timeout=1).status == 200


def test_case_183_the_shutdown_is_limited(own_proxy: Proxy, t1: Target) -> None:
    """After 10 s what is left is dropped without a response, and the status is 0."""
    proxy = own_proxy.start()
    proxy.deploy("s", t1)
    with proxy.connect() as connection:
        connection.send(head("GET", "/sleep?s=14"))
        wait_until(arrives(t1, "/sleep"))
        started = time.monotonic()
        assert proxy.stop() == 0
        assert 9 < time.monotonic() - started < 12
        with pytest.raises(ConnectionError):
            connection.read()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_case_184_an_idle_server_ends_at_once(own_proxy: Proxy, t1: Target, how: signal.Signals) -> None:
    """The socket file is gone; idle and upgraded connections are not waited for."""
    proxy = own_proxy.start()
    proxy.deploy("s", t1)
    with proxy.connect() as idle, proxy.connect() as websocket, proxy.connect():
        idle.ask()
        websocket.ask(path="/ws", headers=WEBSOCKET)
        started = time.monotonic()
        assert proxy.stop(how) == 0
        assert time.monotonic() - started < 2
    assert not proxy.socket.exists()
    assert proxy.refuse("list").endswith("no such file or directory")


@pytest.mark.parametrize("flags", [(), ("--buffer-requests", "--buffer-responses")], ids=["streamed", "buffered"])
def test_case_185_one_log_line_a_request(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """The fixed keys in their order, with the right values and types."""
    proxy.deploy("s", t1, *flags)
    path = f"/logged {len(flags)}"
    headers = [("User-Agent", 'agent "1"'), ("X-Forwarded-For", "9.9.9.9"), ("Content-Type", "text/x")]
    response = proxy.ask(f"/logged%20{len(flags)}?a=%20b", method="POST", body=b"12345", headers=headers)
    (record,) = proxy.access_log(path)
    assert list(record) == FIXED_KEYS
    expected = {
        "level": "INFO",
        "host": "example.com",
        "port": proxy.http_port,
        "status": 200,
        "service": "s",
        "target": t1.address,
        "method": "POST",
        "req_content_length": 5,
        "req_content_type": "text/x",
        "resp_content_length": len(response.body),
        "resp_content_type": "application/json",
        "client_addr": "127.0.0.1",
        "remote_addr": "9.9.9.9",
        "user_agent": 'agent "1"',
        "proto": "HTTP/1.1",
        "scheme": "http",
        "query": "a=%20b",
        "request_id": response.seen_header("X-Request-ID"),
    }
    assert {key: record[key] for key in expected} == expected
    assert isinstance(record["duration"], int)
    assert int(record["client_port"]) > 0


def test_a_length_with_zeros_in_front_is_logged_as_a_number(proxy: Proxy, t1: Target) -> None:
    """A client cannot make a line that is no JSON (19)."""
    proxy.deploy("s", t1)
    with proxy.connect() as connection:
        connection.send(b"POST /zeros HTTP/1.1\r\nHost: a.com\r\nContent-Length: 007\r\n\r\n1234567")
        assert connection.read().status == 200
    (record,) = proxy.access_log("/zeros")
    assert record["req_content_length"] == 7


@pytest.mark.parametrize(
    ("requested", "logged"),
    [
        (
            "Cache-Control,Last-Modified,User-Agent",
            {"req_cache_control": "none", "req_last_modified": "", "req_user_agent": ""},
        ),
        ("X-A", {"req_x_a": '1 "2",3', "resp_x_b": "4"}),
    ],
    ids=["kamal", "own"],
)
def test_case_186_extra_headers_in_the_log(proxy: Proxy, t1: Target, requested: str, logged: dict[str, str]) -> None:
    """After the fixed keys; several values joined, missing ones empty."""
    flags = ["--log-request-header", requested]
    if "resp_x_b" in logged:
        flags += ["--log-response-header", "X-B"]
    proxy.deploy("s", t1, *flags)
    path = f"/{requested.lower().replace(',', '')}/hdrs"
    headers = [("Cache-Control", "none"), ("X-A", '1 "2"'), ("X-A", "3")]
    proxy.ask(f"{path}?h=X-B%3D4", headers=headers)
    (record,) = proxy.access_log(path)
    assert list(record) == [*FIXED_KEYS, *logged]
    assert {key: record[key] for key in logged} == logged


@pytest.mark.parametrize("flags", [(), KAMAL_LOGS, ("--log-request-header", "X-A")], ids=["plain", "kamal", "own"])
def test_log_lines_are_utf_8(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """A log line is JSON for any bytes of a client; invalid characters are replaced (19)."""
    proxy.deploy("s", t1, *flags, "--host", "a.com")
    agent = b'\xff\xc3\xa9 "\xe2\x82"\\'
    for host in (b"a.com", b"nobody.com"):
        path = f"/utf/{len(''.join(flags))}/{host.decode()}"
        with proxy.connect() as connection:
            head_lines = [b"Host: " + host, b"User-Agent: " + agent, b"X-A: " + agent, b"Content-Type: \xed\xa0\x80"]
            connection.send(
                b"GET %s%%ff?q=\xc3%%ff HTTP/1.1\r\n" % path.encode() + b"\r\n".join([*head_lines, b"", b""])
            )
            connection.read()
        (record,) = proxy.access_log(path + "\ufffd")
        assert record["user_agent"] == '\ufffd\u00e9 "\ufffd\ufffd"\\'
        assert (record["query"], record["req_content_type"]) == ("q=\ufffd%ff", "\ufffd\ufffd\ufffd")
        assert list(record)[: len(FIXED_KEYS)] == FIXED_KEYS
        own = record.get("req_x_a", record.get("req_user_agent", record["user_agent"]))
        assert own == record["user_agent"]


LINE_BYTES = 4096
"""The most bytes that a pipe takes in one piece (PIPE_BUF)."""


@pytest.mark.skipif(not IS_OURS, reason="about this implementation's processes")
def test_lines_of_several_processes_never_mix(own_proxy: Proxy, t1: Target) -> None:
    """Into a pipe that is full, as of a log that is read slowly: each line is whole, long values are cut."""
    own_proxy.prefix = ["bash", "-c", 'exec "$@" > >(sleep 1; exec cat)', "bash"]
    own_proxy.start()
    services = {"headers": KAMAL_LOGS, "plain": (), "own": ("--log-request-header", "X-A"), "dead": ()}
    for service, flags in services.items():
        own_proxy.deploy(service, t1, "--host", f"{service}.com", *flags)
    hosts = [f"host-{number}.example.com" for number in range(500)]
    own_proxy.deploy("many", t1, *(f"--host={host}" for host in hosts))
    agents = ["plain", 'quotes "' * 20, "é" * 100, "\x01" * 200, "a" * 3000]

    def converse(number: int) -> int:
        path = "/echo/die" if number % 7 == 0 else f"/echo/{number}"
        headers = [("User-Agent", agents[number % len(agents)]), ("X-A", "z" * 3000), ("Cache-Control", "c" * 3000)]
        with own_proxy.connect() as connection:
            query = "q" * (number * 37 % 6000)
            host = f"{list(services)[number % 4]}.com"
            return connection.ask(path=f"{path}?{query}", host=host, headers=headers).status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(converse, range(400))) == {200, 502}
    wait_until(lambda: len(own_proxy.log_lines("Request")) == 400, 10)
    for line in own_proxy.log_path.read_bytes().splitlines():
        assert len(line) < LINE_BYTES
        json.loads(line)
    queries = [record["query"] for record in own_proxy.log_lines("Request")]
    assert max(len(query) for query in queries) > 1000
    assert {query.strip("q") for query in queries} == {"", "…"}
    deployed = [record for record in own_proxy.log_lines("Deployed") if record["service"] == "many"]
    assert deployed[0]["hosts"][:5] == hosts[:5]
    assert deployed[0]["hosts"][-1] == "…"


def test_case_186_errors_are_logged_as_they_were_asked(proxy: Proxy, t1: Target) -> None:
    """Path and method of the request, not of an error page; unrouted ones have no service."""
    proxy.deploy("s", t1, "--host", "example.com")
    proxy.ask("/error/die?x=1", method="POST", body=b"x")
    proxy.ask("/unrouted", host="nobody.com")
    (failed,) = proxy.access_log("/error/die")
    keys = ("status", "method", "service", "target", "query")
    assert [failed[key] for key in keys] == [502, "POST", "s", t1.address, "x=1"]
    (unrouted,) = proxy.access_log("/unrouted")
    assert [unrouted[key] for key in keys] == [404, "GET", "", "", ""]


def metrics(proxy: Proxy) -> dict[str, float]:
    with Connection(proxy.metrics_port) as connection:
        response = connection.ask(path="/metrics")
    assert response.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in response.body.decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


REQUESTS = "kamal_proxy_http_requests_total"
IN_FLIGHT = "kamal_proxy_http_in_flight_requests"


@pytest.fixture
def measured(own_proxy: Proxy, t1: Target) -> Proxy:
    """A proxy with metrics on and service `s`."""
    own_proxy.start("--metrics-port", str(own_proxy.metrics_port))
    own_proxy.deploy("s", t1, "--host", "example.com", "--exclude-metrics-path", "/secret")
    return own_proxy


def test_case_187_counter_and_histogram(measured: Proxy) -> None:
    """Both count every request; excluded paths are in neither."""
    for _ in range(7):
        measured.ask()
    measured.ask("/secret")
    measured.ask("/sleep?s=0.3")
    labels = '{method="GET",service="s",status="200"}'
    wait_until(lambda: metrics(measured).get(REQUESTS + labels) == 8)
    found = metrics(measured)
    histogram = "kamal_proxy_http_request_duration_seconds"
    assert found[f"{histogram}_count{labels}"] == 8
    assert found[f'{histogram}_bucket{labels[:-1]},le="0.25"}}'] == 7
    assert found[f'{histogram}_bucket{labels[:-1]},le="0.5"}}'] == 8
    assert 0.29 < found[f"{histogram}_sum{labels}"] < 1


def test_case_188_other_methods_and_unrouted_requests(measured: Proxy) -> None:
    """Methods beyond the nine standard ones share a label; no service is an empty label."""
    measured.ask(method="BREW")
    measured.ask(host="nobody.com")
    measured.ask("/die", method="PUT")
    expected = [
        f'{REQUESTS}{{method="OTHER",service="s",status="200"}}',
        f'{REQUESTS}{{method="GET",service="",status="404"}}',
        f'{REQUESTS}{{method="PUT",service="s",status="502"}}',
    ]
    wait_until(lambda: [metrics(measured).get(name) for name in expected] == [1, 1, 1])


def test_case_190_the_gauge_counts_held_and_upgraded_requests(measured: Proxy) -> None:
    """One each while they last, none afterwards; an upgrade is counted as 101 once it is closed."""
    gauge = f'{IN_FLIGHT}{{service="s"}}'
    with measured.connect() as websocket:
        websocket.ask(path="/ws", headers=WEBSOCKET)
        wait_until(lambda: metrics(measured).get(gauge) == 1)
    upgraded = f'{REQUESTS}{{method="GET",service="s",status="101"}}'
    wait_until(lambda: metrics(measured).get(upgraded) == 1)
    measured.succeed("pause", "s")
    held = in_background(measured, "/echo")
    wait_until(lambda: metrics(measured).get(gauge) == 1)
    measured.succeed("resume", "s")
    assert held.result(timeout=2).status == 200
    wait_until(lambda: metrics(measured).get(gauge, 0) == 0)
