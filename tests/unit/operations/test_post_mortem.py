"""The likely cause of a container that did not come up, told from what host, engine and proxy say of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pykamal.commands.command import query
from pykamal.commands.script import Step
from pykamal.operations.execution.post_mortem import PostMortem, read
from pykamal.transport.session import StepResult

pytestmark = pytest.mark.unit

ANYWHERE, LOOPBACK = "00000000:1F40", "0100007F:1F40"
LOOPBACK_6, MAPPED_LOOPBACK = f"{'0' * 24}01000000:1F40", "0000000000000000FFFF00000100007F:1F40"
DNS_OF_THE_ENGINE = "0B00007F:9C41"
RUNNING = {"Status": "running", "ExitCode": 0}


def post_mortem(
    state: dict[str, Any], *, restarts: int = 0, deaths: str = "", listeners: str = "", error: str = "", **check: Any
) -> PostMortem:
    """As read from the four steps' outputs; `error` is what the proxy's check of /up on port 8000 said."""
    failed = {"msg": "Healthcheck failed", "url": "http://4f5e:8000/up", "error": error, **check}
    outputs = [
        f"{json.dumps({'restarts': restarts, 'state': state})}\nfirst line\nlast line",
        deaths,
        listeners,
        f"{json.dumps(failed)}\n" if error else "",
    ]
    step = Step("look", query("true"))
    found = read([StepResult(step, 0, output, "", 0.0) for output in outputs])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"state": RUNNING | {"OOMKilled": True}}, "the container ran out of memory: raise its memory option"),
        ({"state": RUNNING, "deaths": "oom \ndie 137\n", "restarts": 1}, "the container ran out of memory: raise its"),
        ({"state": RUNNING, "deaths": "die 137\n", "restarts": 1}, "most likely because the host or the container ran"),
        ({"state": RUNNING, "deaths": "die 1\ndie 1\n", "restarts": 2}, "the app exited at start"),
        ({"state": {"Status": "exited", "ExitCode": 0}}, "the app exited at start"),
        ({"state": RUNNING, "listeners": "00000000:0BB8", "error": "refused"}, "port 8000, the app listens on 3000"),
        ({"state": RUNNING, "error": "connect: connection refused"}, "nothing in the container listens on port 8000"),
        (
            {"state": RUNNING, "error": "[Errno 111] Connect call failed ('172.18.0.3', 8000)"},
            "nothing in the container listens on port 8000",
        ),
        ({"state": RUNNING, "listeners": LOOPBACK, "error": "refused"}, "let it listen on 0.0.0.0"),
        ({"state": RUNNING, "listeners": LOOPBACK_6, "error": "refused"}, "let it listen on 0.0.0.0"),
        ({"state": RUNNING, "listeners": MAPPED_LOOPBACK, "error": "refused"}, "let it listen on 0.0.0.0"),
        ({"state": RUNNING, "listeners": f"{LOOPBACK}\n{ANYWHERE}", "error": "unexpected status 404"}, "answers 404"),
        ({"state": RUNNING, "listeners": ANYWHERE, "error": "unexpected status: 403"}, "2xx to all, whatever"),
        ({"state": RUNNING, "listeners": ANYWHERE, "error": "unhealthy", "status": 500}, "log lines above may say why"),
        ({"state": RUNNING, "listeners": ANYWHERE, "error": "context deadline exceeded"}, "does not answer in time"),
    ],
)
def test_the_likely_cause(given: dict[str, Any], cause: str) -> None:
    """design.md, rule 5: wrong port, wrong address, wrong path, slow, exited, killed: each with what to do next."""
    assert cause in (post_mortem(**given).hint or "")


def test_an_image_for_another_processor() -> None:
    """The kernel's words are the last of the log, whatever else is known."""
    line = json.dumps({"restarts": 3, "state": {"Status": "restarting", "ExitCode": 1}})
    found = read([StepResult(Step("look", query("true")), 0, f"{line}\nexec /bin/app: exec format error", "", 0.0)])
    assert found is not None
    assert "builder/arch" in (found.hint or "")


def test_without_evidence_nothing_is_guessed() -> None:
    """The hint of the failed command itself is kept then."""
    assert post_mortem(RUNNING, listeners=ANYWHERE).hint is None
    assert post_mortem({"Status": "created", "ExitCode": 128}).hint is None, "it never started"
    assert read([]) is None


def test_the_evidence_itself_is_shown() -> None:
    """spec/cli.md 13.5.1: Docker's health log, the last output, and what the proxy saw."""
    health = {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": f"check {number}\n"} for number in range(5)]}
    found = post_mortem(
        RUNNING | {"Health": health}, listeners=f"{ANYWHERE}\n{DNS_OF_THE_ENGINE}", error="unexpected status 404"
    )
    assert list(found.details) == [
        "container: running, health unhealthy",
        "listens on: port 8000",
        "last check of the proxy: http://4f5e:8000/up: unexpected status 404",
        "health check: exit code 1: check 2",
        "health check: exit code 1: check 3",
        "health check: exit code 1: check 4",
        "last log lines:",
        "  first line",
        "  last line",
    ]
