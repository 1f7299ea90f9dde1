"""Errors say what to do next, derived from the host's output."""

from __future__ import annotations

import json

import pytest

from pykamal.commands.command import command
from pykamal.commands.proxy import ENDPOINT_MISSING_STATUS, deploy_role
from pykamal.commands.readiness import DISK_FULL_STATUS, PORT_TAKEN_STATUS
from pykamal.commands.script import Step
from pykamal.commands.subject import Action, Subject, of_accessory, of_proxy, of_role
from pykamal.config.models import Accessory
from pykamal.core.errors import BootError, CommandFailed
from pykamal.operations.execution.evidence import Evidence, taken_port
from pykamal.operations.execution.failure_hints import error_of, explain
from pykamal.transport.session import StepResult
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit


def result(*, status: int = 1, stdout: str = "", stderr: str = "", step: Step | None = None) -> StepResult:
    return StepResult(step or Step("pull image", command("docker", "pull", "app:1")), status, stdout, stderr, 0.1)


def test_no_container_to_route_to_is_a_boot_error() -> None:
    """spec/cli.md 13.5.1, step 8: the text and the class are those that scripts know."""
    web = role("web", "10.0.0.1")
    step = Step("switch traffic", deploy_role(config(web), web, "1"))
    said = "Failed to get endpoint for web, did the container boot?\n"
    error = error_of(result(status=ENDPOINT_MISSING_STATUS, stderr=said, step=step), "10.0.0.1")
    assert isinstance(error, BootError)
    assert error.message == "Failed to get endpoint for web on 10.0.0.1, did the container boot?"
    assert error.label == "Kamal::Cli::BootError"
    assert error.host == "10.0.0.1"
    assert error.hint is not None
    assert any(line.startswith("command: ") for line in error.details)


def test_the_status_alone_is_no_missing_endpoint() -> None:
    """An app's own exit status may be the same number."""
    assert isinstance(error_of(result(status=ENDPOINT_MISSING_STATUS, stderr="no\n"), "a"), CommandFailed)


@pytest.mark.parametrize(
    ("containers", "users", "holder"),
    [
        ("", ' users:(("nginx",pid=42,fd=6))', "nginx (process 42)"),
        ("", "", "another program"),
        ("container\ttraefik\t\t\t\n", ' users:(("docker-proxy",pid=42,fd=6))', "container traefik"),
        ("container\tshop-web-1\tshop\tweb\teu\n", "", "container shop-web-1 of shop web eu"),
    ],
)
def test_a_taken_port_names_its_holder(containers: str, users: str, holder: str) -> None:
    """design.md, rule 5; without root `ss` does not tell whose port it is."""
    said = f"{containers}LISTEN 0      5            0.0.0.0:80        0.0.0.0:*   {users}\n"
    error = error_of(result(status=PORT_TAKEN_STATUS, stderr=said), "10.0.0.1")
    assert error.message == f"Port 80 of 10.0.0.1 is taken by {holder}, so kamal-proxy cannot start there"


def test_a_full_disk_is_named() -> None:
    """design.md, rule 5."""
    said = "tmpfs                 4096      4096         0     100% /root/.kamal\n"
    error = error_of(result(status=DISK_FULL_STATUS, stderr=said), "10.0.0.1")
    assert error.message == "The disk at /root/.kamal of 10.0.0.1 is full (0 KiB left)"
    assert "df -h" in (error.hint or "")


def test_what_became_of_the_container_explains_more_than_what_docker_said() -> None:
    """design.md, rule 5: state and last log lines, and the hint that follows from them."""
    record = json.dumps({"restarts": 2, "state": {"Status": "restarting", "ExitCode": 1}})
    looked = Step(Evidence.STATE.value, command("docker", "inspect"))
    evidence = [result(status=0, stdout=f"{record}\nno database configured\n", step=looked)]
    error = explain(result(stderr="target failed to become healthy"), "a", evidence)
    assert "container: restarting, restarted 2 times, exit code 1" in error.details
    assert error.details[-1] == "  no database configured"
    assert error.hint is not None
    assert "the app exited at start" in error.hint


def test_the_message_says_what_was_tried() -> None:
    """spec/cli.md 4.5: the step, then the words that Ruby Kamal's users know; odd lines count as the shell's."""
    assert error_of(result(), "a").message == "pull image: docker exit status: 1"
    grouped = Step("check host", command("id=1").and_(command("true")).grouped())
    assert error_of(result(step=grouped), "a").message == "check host: sh exit status: 1"


OWN = "container\tapp-web-1\tapp\tweb\t\n"
OTHER = "container\tshop-web-9\tshop\tweb\t\n"
PROGRAM = 'LISTEN 0 5 0.0.0.0:9999 0.0.0.0:* users:(("nginx",pid=42,fd=6))\n'
TAKEN = "docker: Error response from daemon: driver failed: Bind for 0.0.0.0:9999 failed: port is already allocated."
DB = Accessory("db", "app-db", "mysql", ("h",))
ROLE, ACCESSORY, PROXY = (
    of_role(Action.RUN, role("web", "h")), of_accessory(Action.RUN, DB), of_proxy(Action.RUN),
)  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "holders", "advice"),
    [
        (ROLE, OWN, "the app's own container app-web-1 has port 9999: old and new run at the same time"),
        (ROLE, OWN, "Take it out of servers/web/options/publish"),
        (ROLE, OTHER, "container shop-web-9 of shop web has port 9999: stop it, or choose another port in servers/web"),
        (ROLE, PROGRAM, "nginx (process 42) has port 9999: stop it"),
        (ROLE, "", "something on the host has port 9999, and it does not tell who"),
        (ACCESSORY, OTHER, "choose another port in accessories/db/port"),
        (ACCESSORY, "container\tapp-db\tapp-db\t\t\n", "the old container app-db of app-db has port 9999"),
        (PROXY, PROGRAM, "choose another port in proxy/run/http_port and https_port"),
    ],
)
def test_the_holder_of_a_published_port_decides_the_hint(subject: Subject, holders: str, advice: str) -> None:
    """The engine says only that a port is taken; its holder is looked up."""
    failure = result(status=125, stderr=TAKEN, step=Step("start", command("docker", "run"), subject))
    looked = result(status=0, stdout=holders, step=Step(Evidence.PORT_HOLDERS.value, command("docker", "ps")))
    assert advice in (explain(failure, "h", [looked]).hint or "")


@pytest.mark.parametrize(
    ("said", "port"),
    [
        (TAKEN, 9999),
        ("Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use.", 80),
        ("failed to bind host port for 0.0.0.0:80:172.18.0.2:80/tcp: address already in use", 80),
        ("failed to bind host port [::]:8443/tcp: address already in use", 8443),
        ("OSError: [Errno 98] Address already in use", None),
    ],
)
def test_the_taken_port_is_what_docker_names(said: str, port: int | None) -> None:
    """In the words of engines from 20.10 to 28; an app that cannot bind inside its container has another problem."""
    assert taken_port(result(stderr=said)) == port
