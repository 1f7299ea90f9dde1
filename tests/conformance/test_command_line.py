"""Command line and process: spec/proxy.md 23.1 (cases 1 to 29) and section 3."""

from __future__ import annotations

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy, free_ports, wait_until
from tests.conformance.raw_http import Connection
from tests.conformance.scripted_target import Target


def test_case_001_no_server_is_named_in_the_error(own_proxy: Proxy) -> None:
    """A client without a server exits 1 and names the socket (3.1)."""
    message = own_proxy.refuse("list")
    assert message == f"dial unix {own_proxy.socket}: connect: no such file or directory"


def test_case_002_list_without_services_is_one_line_of_titles(proxy: Proxy) -> None:
    """The header line is printed alone, each title wrapped in colour codes (3.5)."""
    output = proxy.succeed("list")
    assert output.count("\n") == 1
    titles = ("Service", "Host", "Path", "Target", "State", "TLS")
    assert output == "".join(f"\x1b[3;94m{title}\x1b[0m  " for title in titles) + "\n"


def test_case_003_list_takes_no_argument(proxy: Proxy) -> None:
    """An argument to `list` is an unknown command (3.1)."""
    assert proxy.refuse("list", "x") == 'unknown command "x" for "kamal-proxy list"'


@pytest.mark.parametrize("command", [("deploy", "s"), ("rollout", "deploy", "s")])
def test_case_004_target_is_required(proxy: Proxy, command: tuple[str, ...]) -> None:
    """A deploy without a target is refused by its client (3.1)."""
    assert proxy.refuse(*command) == 'required flag(s) "target" not set'


@pytest.mark.parametrize(
    "command",
    [
        ("pause", "x"),
        ("resume", "x"),
        ("stop", "x"),
        ("remove", "x"),
        ("rm", "x"),
        ("rollout", "set", "x", "--percent", "5"),
        ("rollout", "stop", "x"),
        ("rollout", "deploy", "x", "--target", "127.0.0.1:1"),
    ],
    ids=" ".join,
)
def test_case_005_unknown_service(proxy: Proxy, command: tuple[str, ...]) -> None:
    """Every command that needs a service says when there is none (3.4)."""
    assert proxy.refuse(*command) == "service not found"


@pytest.mark.parametrize(
    "target", ["http://web:80", "a:80", "web:x", "[::1]:80", "-web", "web:80/x", "web:", "wéb:80", "web:٣"]
)
def test_case_007_008_malformed_targets(proxy: Proxy, target: str) -> None:
    """A target is `name[:digits]`, without scheme and with at least two letters (3.3)."""
    assert proxy.refuse("deploy", "s", "--target", target) == f"{target} :invalid host pattern"


def test_names_that_cannot_be_looked_up(own_proxy: Proxy, t1: Target) -> None:
    """They are targets without an address: what else there is goes on, also after a restart (4, D3)."""
    own_proxy.start().deploy("good", t1, "--host", "good.com")
    for number, name in enumerate(("a..b", "a" * 70)):
        own_proxy.succeed("deploy", f"bad{number}", "--target", name, "--force", "--host", f"{number}.com")
    wait_until(lambda: len({record["url"] for record in own_proxy.log_lines("Healthcheck failed")}) == 2)
    own_proxy.restart()
    assert len(own_proxy.listing()) == 3
    assert [own_proxy.ask(host=host).status for host in ("good.com", "0.com", "1.com")] == [200, 502, 502]
    assert not own_proxy.log_lines("Control plane ended; starting it again")


def test_case_009_an_empty_target_is_refused_at_once(proxy: Proxy) -> None:
    """Deviation D8: `--target ''` does not wait for a target that cannot exist."""
    started = time.monotonic()
    proxy.refuse("deploy", "s", "--target", "")
    assert time.monotonic() - started < 2


def test_case_010_tls_belongs_to_the_root_path(proxy: Proxy, t1: Target) -> None:
    """TLS on a path service is refused (3.3)."""
    flags = ("--tls", "--host", "a.com", "--path-prefix", "/api")
    message = proxy.refuse("deploy", "s", "--target", t1.address, *flags)
    assert message == "service options invalid: TLS settings must be specified on the root path service"


def test_case_011_canonical_host_must_be_served(proxy: Proxy, t1: Target) -> None:
    """The canonical host is one of the hosts (3.3)."""
    message = proxy.refuse("deploy", "s", "--target", t1.address, "--host", "a.com", "--canonical-host", "z.com")
    assert message.endswith("canonical-host 'z.com' must be present in the hosts list: [a.com]")


def test_case_012_tls_needs_a_host(proxy: Proxy, t1: Target) -> None:
    """TLS without a host is refused (3.3)."""
    message = proxy.refuse("deploy", "s", "--target", t1.address, "--tls")
    assert message == "service options invalid: host must be set when using TLS"


def test_case_013_limit_needs_buffering(proxy: Proxy, t1: Target) -> None:
    """A body limit without its buffer flag is refused, requests and responses alike (3.3)."""
    deploy = ("deploy", "s", "--target", t1.address)
    for kind in ("request", "response"):
        message = proxy.refuse(*deploy, f"--max-{kind}-body", "1")
        assert message == f"max-{kind}-body can only be set when {kind} buffering is enabled"


def test_case_014_the_flag_being_present_is_enough(proxy: Proxy, t1: Target) -> None:
    """`--buffer-requests=false` satisfies the check, which only looks at the flag's presence (3.3)."""
    proxy.deploy("s", t1, "--buffer-requests=false", "--max-request-body", "1")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--max-request-body", "1"), "max-request-body can only be set when request buffering is enabled"),
        (("--tls",), "service options invalid: host must be set when using TLS"),
        (
            ("--host", "a.com,b.com", "--canonical-host", "z.com"),
            "service options invalid: canonical-host 'z.com' must be present in the hosts list: [a.com b.com]",
        ),
        *(
            (("--tls", "--tls-on-demand-url", url), f"service options invalid: {problem}")
            for url, problem in [
                ("://x", "unable to parse tls-on-demand-url: "),
                ("http://[::1", "unable to parse tls-on-demand-url: "),
                ("http://a:b/", "unable to parse tls-on-demand-url: "),
                ("/%zz", "unable to parse tls-on-demand-url: "),
                ("/a b", "unable to parse tls-on-demand-url: "),
                ("http:///x", "missing host in tls-on-demand-url"),
                ("a.com/x", "tls-on-demand-url must be a path or an absolute http(s) URL"),
            ]
        ),
    ],
)
def test_case_010_to_013_without_a_server(own_proxy: Proxy, flags: tuple[str, ...], message: str) -> None:
    """The client reports invalid options before it looks for a server (3.3)."""
    assert own_proxy.refuse("deploy", "s", "--target", "web", *flags).startswith(message)


NINES = "9" * 5000
TOO_LARGE_MESSAGE = (
    f'invalid argument "{NINES}" for "--max-request-body" flag: strconv.ParseInt: parsing "{NINES}": value out of range'
)
PAIR_MESSAGE = (
    "if any flags in the group [tls-certificate-path tls-private-key-path] are set they must all be set;"
    " missing [tls-private-key-path]"
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("deploy", "s", "--bogus"), "unknown flag: --bogus"),
        (("explode",), 'unknown command "explode" for "kamal-proxy"'),
        (("deploy",), "accepts 1 arg(s), received 0"),
        (("deploy", "s", "--target", "web", "--force", "false"), "accepts 1 arg(s), received 2"),
        (
            ("rollout", "set", "s"),
            "at least one of the flags in the group [percent list] is required",
        ),
        (
            ("deploy", "s", "--target", "web", "--tls-certificate-path", "/c"),
            PAIR_MESSAGE,
        ),
        (
            ("deploy", "s", "--target", "web", "--max-request-body", NINES),
            TOO_LARGE_MESSAGE,
        ),
        (
            ("deploy", "s", "--target", "web", "--target-timeout", "-1s"),
            "service options invalid: target-timeout must not be negative",
        ),
        (("run", "--http-port", "70000"), "listen tcp: address 70000: invalid port"),
    ],
)
def test_case_016_wrong_command_lines(proxy: Proxy, arguments: tuple[str, ...], message: str) -> None:
    """The messages of the table in 3.1."""
    assert proxy.refuse(*arguments) == message


@pytest.mark.parametrize(("value", "shown"), [('"a', r"\"a"), ('"a"b', r"\"a\"b"), ('"a\n"b', r"\"a\n\"b")])
def test_quotes_that_do_not_end_are_named(proxy: Proxy, value: str, shown: str) -> None:
    """A list is read as CSV (3.1); the error is one line."""
    done = proxy.call("deploy", "s", "--target", "web", "--host", value)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f'Error: invalid argument "{shown}" for "--host" flag: parse error')


@pytest.mark.parametrize("value", ["10", "x", "5 s", "1q"])
def test_case_015_durations_need_a_unit(proxy: Proxy, value: str) -> None:
    """A bad value is named together with its flag (3.1)."""
    message = proxy.refuse("deploy", "s", "--target", "web", "--deploy-timeout", value)
    assert message.startswith(f'invalid argument "{value}" for "--deploy-timeout" flag:')


@pytest.mark.parametrize("arguments", [(), ("rollout",), ("rollout", "explode"), ("--help",)])
def test_case_017_help_is_no_error(proxy: Proxy, arguments: tuple[str, ...]) -> None:
    """No command means help on stdout and success (3.1)."""
    done = proxy.call(*arguments)
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_case_019_list_is_sorted_by_name(proxy: Proxy, t1: Target) -> None:
    """One row a service, in the order of their names (3.5)."""
    proxy.deploy("b", t1, "--host", "b.com")
    proxy.deploy("a", t1, "--host", "a.com")
    assert proxy.listing() == [
        ["a", "a.com", "/", t1.address, "running", "no"],
        ["b", "b.com", "/", t1.address, "running", "no"],
    ]


def test_rows_are_aligned_and_coloured(proxy: Proxy, t1: Target) -> None:
    """Each cell is padded to its column's width after the reset, and two spaces follow, the last one's too (3.5)."""
    proxy.deploy("a-long-name", t1, "--host", "a.com")
    proxy.deploy("b", t1)
    titles, first, second = proxy.succeed("list").splitlines()
    assert titles.startswith("\x1b[3;94mService\x1b[0m      \x1b[3;94mHost\x1b[0m   \x1b[3;94mPath\x1b[0m  ")
    assert first.startswith("\x1b[1;34ma-long-name\x1b[0m  \x1b[ma.com\x1b[0m  \x1b[m/\x1b[0m     \x1b[m127")
    assert second.startswith("\x1b[1;34mb\x1b[0m            \x1b[m*\x1b[0m      \x1b[m/\x1b[0m     \x1b[m127")
    assert second.endswith("\x1b[mrunning\x1b[0m  \x1b[mno\x1b[0m   ")


def test_case_020_lists_repeat_and_split_at_commas(proxy: Proxy, t1: Target) -> None:
    """`--host a,b --host c` are three hosts, in order (3.1)."""
    proxy.deploy("s", t1, "--host", "a.com,b.com", "--host", "c.com")
    assert proxy.listing()[0][1] == "a.com,b.com,c.com"


def test_case_021_any_host_is_a_star(proxy: Proxy, t1: Target) -> None:
    """A service without hosts shows `*` (3.5)."""
    proxy.deploy("s", t1)
    assert proxy.listing()[0][1] == "*"


def test_case_022_readers_follow_writers(proxy: Proxy, t1: Target, t2: Target) -> None:
    """The target cell holds the writers, then the readers (3.5)."""
    proxy.deploy("s", t1, "--read-target", t2.address)
    assert proxy.listing()[0][3] == f"{t1.address},{t2.address}"


def test_case_023_a_port_in_use_ends_the_start(own_proxy: Proxy) -> None:
    """The reason is on stderr and the status is 1 (2)."""
    with socket.create_server(("", own_proxy.http_port)):
        ports = ("--http-port", str(own_proxy.http_port), "--https-port", str(own_proxy.https_port))
        done = own_proxy.call("run", *ports)
    assert done.returncode == 1
    assert f"Error: listen tcp :{own_proxy.http_port}: bind: address already in use" in done.stderr


def test_case_023_the_same_port_twice(own_proxy: Proxy) -> None:
    """The proxy's own ports exclude each other: metrics first, then HTTP, then HTTPS (2)."""
    port = str(own_proxy.http_port)
    others = ("--https-port", str(own_proxy.https_port))
    for flags in (("--https-port", port), ("--metrics-port", port, *others)):
        message = own_proxy.refuse("run", "--http-port", port, *flags)
        assert message == f"listen tcp :{port}: bind: address already in use"


def test_a_server_without_input_and_output(own_proxy: Proxy, t1: Target) -> None:
    """Closed standard descriptors are nobody's port; what would be logged goes nowhere."""
    own_proxy.prefix = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    own_proxy.start().deploy("s", t1)
    assert own_proxy.ask().status == 200
    assert own_proxy.stop() == 0


def test_a_socket_that_cannot_be_made_ends_the_start(own_proxy: Proxy) -> None:
    """One line on stderr, status 1, and nothing goes on running."""
    ports = ("--http-port", str(own_proxy.http_port), "--https-port", str(own_proxy.https_port))
    for socket_file, reason in ((own_proxy.home / "none/s", "no such file or directory"), (own_proxy.home, "")):
        own_proxy.socket = socket_file
        message = own_proxy.refuse("run", *ports)
        assert message.startswith(f"listen unix {socket_file}: bind: ")
        assert message.endswith(reason)
    with pytest.raises(ConnectionRefusedError):
        own_proxy.ask()


def test_a_start_in_vain_disturbs_nobody(own_proxy: Proxy, t1: Target) -> None:
    """A second server on the ports of the first ends; the first and its socket stay."""
    own_proxy.start().deploy("s", t1)
    own_proxy.refuse("run", "--http-port", str(own_proxy.http_port))
    assert own_proxy.listing()[0][0] == "s"
    assert own_proxy.ask(method="POST", body=b"x" * 500_000).seen["body_bytes"] == 500_000


def test_a_second_server_takes_the_socket_over(own_proxy: Proxy, t1: Target) -> None:
    """As after a crash (2): it restores the services and answers clients; the first goes on serving."""
    own_proxy.start().deploy("s", t1, "--buffer-requests")
    first, first_port = own_proxy.process, own_proxy.http_port
    own_proxy.http_port, own_proxy.https_port = free_ports(2)
    own_proxy.start()
    wait_until(lambda: len(own_proxy.log_lines("Server started")) == 2)
    try:
        for port in (first_port, own_proxy.http_port):
            with Connection(port) as connection:
                assert connection.ask("POST", body=b"x" * 500_000).seen["body_bytes"] == 500_000
        assert own_proxy.listing()[0][0] == "s"
    finally:
        assert first
        first.terminate()
        assert first.wait(timeout=20) == 0
    assert own_proxy.ask().status == 200


@pytest.mark.skipif(not IS_OURS, reason="about this implementation's files")
def test_a_temporary_directory_that_is_missing_ends_the_start(own_proxy: Proxy) -> None:
    """With one line that names it."""
    own_proxy.temporary.rmdir()
    message = own_proxy.refuse(
        "run", "--http-port", str(own_proxy.http_port), "--https-port", str(own_proxy.https_port)
    )
    assert message.startswith(str(own_proxy.temporary))
    assert message.endswith(": no such file or directory")


@pytest.mark.skipif(not IS_OURS, reason="about this implementation's files")
def test_a_temporary_directory_with_a_long_name(own_proxy: Proxy, t1: Target) -> None:
    """The addresses of the sockets in it must not grow with it."""
    own_proxy.temporary = own_proxy.temporary / ("x" * 150)
    own_proxy.temporary.mkdir(mode=0o777)
    own_proxy.start().deploy("s", t1, "--buffer-requests")
    assert own_proxy.ask(method="POST", body=b"x" * 500_000).seen["body_bytes"] == 500_000


def test_case_024_ports_from_the_environment(own_proxy: Proxy, t1: Target) -> None:
    """The prefixed variable beats the plain one (3.2)."""
    environment = {"KAMAL_PROXY_METRICS_PORT": str(own_proxy.metrics_port), "METRICS_PORT": "1"}
    own_proxy.start(environment=environment)
    with socket.create_connection(("127.0.0.1", own_proxy.metrics_port), timeout=5):
        pass


def test_case_025_an_unreadable_variable_is_ignored(own_proxy: Proxy) -> None:
    """`HTTP_PORT=abc` changes nothing, and a flag beats the environment (3.2)."""
    own_proxy.start(environment={"HTTP_PORT": "abc"})
    assert own_proxy.ask().status == 404


def test_case_026_a_stale_socket_is_replaced(own_proxy: Proxy, t1: Target) -> None:
    """After SIGKILL the file stays; clients are refused, the next start recovers, however soon it comes (2)."""
    own_proxy.start()
    own_proxy.deploy("s", t1)
    for _ in range(3):
        own_proxy.stop(signal.SIGKILL)
        own_proxy.start()
        assert len(own_proxy.listing()) == 1
    own_proxy.stop(signal.SIGKILL)
    wait_until(lambda: "refused" in own_proxy.call("list").stderr, 10)
    assert own_proxy.socket.exists()


def test_a_command_as_soon_as_the_port_is_open(own_proxy: Proxy, t1: Target) -> None:
    """The socket comes last (2); whoever saw the port is heard."""
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(own_proxy.start)
        wait_until(lambda: is_open(own_proxy.http_port), 20)
        own_proxy.deploy("s", t1)
        starting.result()
    assert own_proxy.ask().status == 200


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_case_028_a_waiting_deploy_blocks_nobody(proxy: Proxy, nobody: str) -> None:
    """Calls are served at the same time (2)."""
    waiting = proxy.begin("deploy", "slow", "--target", nobody, "--deploy-timeout", "2s")
    time.sleep(0.3)
    started = time.monotonic()
    proxy.succeed("list")
    assert time.monotonic() - started < 1
    _, stderr = waiting.communicate(timeout=10)
    assert stderr == "Error: target failed to become healthy within configured timeout (2s)\n"


def test_case_029_a_killed_client_cancels_nothing(proxy: Proxy, t1: Target) -> None:
    """The operation goes on in the server (2)."""
    t1.up = 500
    waiting = proxy.begin("deploy", "s", "--target", t1.address, "--deploy-timeout", "10s")
    wait_until(lambda: t1.checks)
    waiting.kill()
    waiting.communicate()
    t1.up = 200
    wait_until(lambda: proxy.ask().status == 200)
