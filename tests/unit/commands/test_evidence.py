"""Evidence of a failure, read by real shells from real processes and a `docker` with prepared answers."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pykamal.commands import evidence
from pykamal.commands.command import Command, Effect
from tests.unit.commands.shell import run

pytestmark = [pytest.mark.unit, pytest.mark.process]

WEB = "app-web-v1"
ID = "docker container ls --all --filter 'name=^app-web-v1$' --quiet"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            evidence.state(WEB),
            (
                "docker container inspect --format "
                """'{"restarts": {{.RestartCount}}, "state": {{json .State}}}' app-web-v1 """
                "&& docker logs --timestamps --tail 50 app-web-v1 2>&1"
            ),
        ),
        (
            evidence.deaths(WEB),
            (
                f'docker events --since 10m --until 0s --filter container="$({ID})" --filter event=die '
                "--filter event=oom --filter event=kill "
                """--format '{{.Action}} {{index .Actor.Attributes "exitCode"}}'"""
            ),
        ),
    ],
)
def test_lines(line: Command, expected: str) -> None:
    """spec/cli.md 13.5.1, closing the barrier: they look, and do not fail."""
    assert line.display_text() == expected
    assert line.effect is Effect.READ
    assert line.may_fail


def test_processes() -> None:
    """Docker asks for the PID, which tells people nothing."""
    top = "    PID     TIME COMMAND\\n 123      00:00:28      python3 app.py\\n  4 00:00:00 sh -c sleep 9\\n"
    line = evidence.processes(WEB)
    found = run(f"docker() {{ printf '{top}'; }}\n{line.shell_text()}")
    assert found.stdout.decode().splitlines() == ["00:00:28 python3 app.py", "00:00:00 sh -c sleep 9"]
    assert line.may_fail


def test_failed_checks(tmp_path: Path) -> None:
    """The last line of the proxy's log that is about the version's own container; none is no failure."""
    log = tmp_path / "log"
    log.write_text(
        '{"msg":"Healthcheck failed","url":"http://abc:80/up","error":"first"}\n'
        '{"msg":"Healthcheck failed","url":"http://abc:80/up","error":"last"}\n'
        '{"msg":"Healthcheck failed","url":"http://def:80/up","error":"another"}\n'
        '{"msg":"Deploying","targets":["abc:80"]}\n'
    )
    line = evidence.failed_checks(WEB, port=80)
    found = run(f'docker() {{ [ "$1" = container ] && echo abc || cat {log}; }}\n{line.shell_text()}')
    assert found.stdout.decode() == '{"msg":"Healthcheck failed","url":"http://abc:80/up","error":"last"}\n'
    assert line.may_fail


def test_listeners_are_those_of_the_process() -> None:
    """A real process's listeners are read, in hexadecimal; one that cannot be seen has none, without a failure."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = run(f"docker() {{ echo {os.getpid()}; }}\n{evidence.listeners(WEB).shell_text()}")
        assert f"0100007F:{port:04X}" in found.stdout.decode().split()
    assert run(f"docker() {{ echo 0; }}\n{evidence.listeners(WEB).shell_text()}").stdout == b""
    assert evidence.listeners(WEB).may_fail


def test_port_holders() -> None:
    """Containers that publish one of the ports, then what `ss` knows; both are read from real lines."""
    line = evidence.port_holders([80, 443])
    assert "--filter publish=80 --filter publish=443" in line.display_text()
    found = run(f"docker() {{ printf 'container\\tx\\t\\t\\t\\n'; }}\nss() {{ echo \"$2\"; }}\n{line.shell_text()}")
    assert found.stdout.decode() == "container\tx\t\t\t\n( sport = :80 or sport = :443 )\n"
