"""The likely cause of a container that did not come up, told from what host, engine and proxy say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pykamal.commands.command import query
from pykamal.commands.script import Step
from pykamal.commands.subject import Action, of_accessory, of_role
from pykamal.config.models import Accessory
from pykamal.operations.execution.evidence import Evidence
from pykamal.operations.execution.post_mortem import PostMortem, read
from pykamal.transport.session import StepResult
from tests.unit.samples import role

pytestmark = pytest.mark.unit

ANYWHERE, LOOPBACK = "00000000:1F40", "0100007F:1F40"
LOOPBACK_6, MAPPED_LOOPBACK = f"{'0' * 24}01000000:1F40", "0000000000000000FFFF00000100007F:1F40"
DNS_OF_THE_ENGINE = "0B00007F:9C41"
LATE = "port 8000 was open after 28 seconds\nError: target failed to become healthy\n"
EARLY = LATE.replace("28", "12")
REDIRECTED = "the app redirects the health check of /up to https://a.test/up, where the proxy gets no answer"
RUNNING = {"Status": "running", "ExitCode": 0}


SWITCH = Step(
    "switch", query("true"), replace(of_role(Action.SWITCH, role("web", "h"), deploy_timeout=30), check_interval=20)
)


def post_mortem(
    state: dict[str, Any],
    *,
    restarts: int = 0,
    deaths: str = "",
    listeners: str = "",
    error: str = "",
    told: str = "",
    processes: str = "",
    **check: Any,
) -> PostMortem:
    """As read from the steps' outputs; `error` is what the proxy's check of /up on port 8000 said, `told` the step."""
    failed = {"msg": "Healthcheck failed", "url": "http://4f5e:8000/up", "error": error, **check}
    outputs = {
        Evidence.STATE: f"{json.dumps({'restarts': restarts, 'state': state})}\nfirst line\nlast line",
        Evidence.DEATHS: deaths,
        Evidence.LISTENERS: listeners,
        Evidence.PROCESSES: processes,
        Evidence.CHECKS: f"{json.dumps(failed)}\n" if error else "",
    }
    found = read(
        {kind: StepResult(Step(kind.value, query("true")), 0, output, "", 0.0) for kind, output in outputs.items()},
        StepResult(SWITCH, 1, "", told, 30.0),
    )
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
        ({"state": RUNNING, "deaths": "kill \nkill \ndie 137\n", "restarts": 1}, "the app exited at start"),
        ({"state": RUNNING, "listeners": "00000000:0BB8", "error": "refused"}, "port 8000, the app listens on 3000"),
        (
            {"state": RUNNING, "listeners": "00000000:0BB8", "error": "refused"},
            "if it opens that later, raise deploy_t",
        ),
        ({"state": RUNNING, "error": "connect: connection refused"}, "listens on no port yet: if it needs longer"),
        ({"state": RUNNING, "error": "connect: connection refused"}, "raise deploy_timeout in deploy.yml (now 30 sec"),
        (
            {"state": RUNNING, "error": "[Errno 111] Connect call failed ('172.18.0.3', 8000)"},
            "the app runs and listens on no port yet",
        ),
        (
            {"state": RUNNING, "listeners": ANYWHERE, "error": "refused", "told": LATE},
            "boots slowly: it began to listen on port 8000 only after 28 seconds: raise deploy_timeout",
        ),
        (
            {"state": RUNNING, "listeners": ANYWHERE, "error": "refused"},
            "boots slowly: it began to listen on port 8000 only when the time was over: raise deploy_timeout",
        ),
        ({"state": RUNNING | {"Health": {"Status": "starting"}}}, "has not passed yet: raise deploy_timeout"),
        ({"state": RUNNING | {"Health": {"Status": "unhealthy"}}}, "its health check fails, as the lines above tell"),
        ({"state": RUNNING, "listeners": LOOPBACK, "error": "refused"}, "let it listen on 0.0.0.0"),
        ({"state": RUNNING, "listeners": LOOPBACK_6, "error": "refused"}, "let it listen on 0.0.0.0"),
        ({"state": RUNNING, "listeners": MAPPED_LOOPBACK, "error": "refused"}, "let it listen on 0.0.0.0"),
        ({"state": RUNNING, "listeners": f"{LOOPBACK}\n{ANYWHERE}", "error": "unexpected status 404"}, "answers 404"),
        ({"state": RUNNING, "listeners": ANYWHERE, "error": "unexpected status: 403"}, "2xx to all, whatever"),
        ({"state": RUNNING, "listeners": ANYWHERE, "error": "unhealthy", "status": 500}, "log lines above may say why"),
        (
            {"state": RUNNING, "listeners": ANYWHERE, "error": "refused", "told": EARLY},
            "port 8000 opened after 12 seconds, but the proxy looks once in 20 seconds",
        ),
        ({"state": RUNNING, "listeners": "0100007F:0BB8", "error": "refused"}, "listens on 3000, for the container it"),
        ({"state": RUNNING, "listeners": "0100007F:0BB8", "error": "refused"}, "0.0.0.0, and set proxy/app_port to"),
        *(
            ({"state": RUNNING, "listeners": ANYWHERE, "error": f'Get "https://a.test/up": {problem}'}, REDIRECTED)
            for problem in ("lookup a.test: no such host", "context deadline exceeded", "connection refused")
        ),
        (
            {"state": RUNNING, "listeners": ANYWHERE, "error": 'Get "http://4f5e:8000/up": context deadline exceeded'},
            "takes the health check of /up and does not answer in time",
        ),
        *(
            ({"state": RUNNING, "listeners": ANYWHERE, "error": problem}, "they are not in the same network")
            for problem in (
                "lookup 4f5e: no such host",
                'Get "http://4f5e:8000/up": dial tcp: lookup 4f5e: no such host',
            )
        ),
        ({"state": RUNNING, "listeners": ANYWHERE, "error": "context deadline exceeded"}, "does not answer in time"),
    ],
)
def test_the_likely_cause(given: dict[str, Any], cause: str) -> None:
    """design.md, rule 5: wrong port, wrong address, wrong path, slow, exited, killed: each with what to do next."""
    assert cause in (post_mortem(**given).hint or "")


def test_an_image_for_another_processor() -> None:
    """The kernel's words are the last of the log, whatever else is known."""
    line = json.dumps({"restarts": 3, "state": {"Status": "restarting", "ExitCode": 1}})
    result = StepResult(SWITCH, 0, f"{line}\nexec /bin/app: exec format error", "", 0.0)
    found = read({Evidence.STATE: result})
    assert found is not None
    assert "builder/arch" in (found.hint or "")


def test_without_evidence_nothing_is_guessed() -> None:
    """The hint of the failed command itself is kept then."""
    assert post_mortem(RUNNING, listeners=ANYWHERE).hint is None
    assert post_mortem({"Status": "created", "ExitCode": 128}).hint is None, "it never started"
    assert read({}) is None


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


def test_what_runs_is_shown_where_nothing_listens() -> None:
    """A boot that is under way uses the processor; one that waits for something does not."""
    processes = "00:00:28 python3 app.py\n00:00:00 sh -c sleep 9"
    assert "runs, with processor time: 00:00:28 python3 app.py" in list(
        post_mortem(RUNNING, error="refused", processes=processes).details
    )
    assert "port 8000 opened after 28 seconds" in list(
        post_mortem(RUNNING, error="refused", processes=processes, told=LATE, listeners=ANYWHERE).details
    )


def test_a_container_that_was_ready_once() -> None:
    """Its old version is stopped by then, so what to go back to is the next question."""
    state = json.dumps({"restarts": 1, "state": RUNNING})
    failure = StepResult(Step("check", query("true"), of_role(Action.RECHECK, role("web", "h"))), 1, "", "", 0.0)
    found = read({Evidence.STATE: StepResult(SWITCH, 0, state, "", 0.0)}, failure)
    assert found is not None
    assert "exited after it had been found ready" in (found.hint or "")
    assert "kamal rollback" in (found.hint or "")


def test_an_accessory_is_called_by_its_name() -> None:
    """The container that fails is not always the app's."""
    db = Accessory("db", "app-db", "mysql", ("h",))
    line = json.dumps({"restarts": 3, "state": {"Status": "restarting", "ExitCode": 1}})
    failure = StepResult(Step("wait", query("true"), of_accessory(Action.WAIT, db)), 1, "", "", 0.0)
    found = read({Evidence.STATE: StepResult(SWITCH, 0, line, "", 0.0)}, failure)
    assert found is not None
    assert found.hint == "accessory db exited at start: the last log lines above say why"
