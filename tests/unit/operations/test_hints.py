"""The next thing to do after a failed step, by the step's subject and its command's output."""

from __future__ import annotations

import pytest

from pykamal.commands.command import command
from pykamal.commands.script import Step
from pykamal.commands.subject import (
    Action,
    Subject,
    of_accessory,
    of_app,
    of_host,
    of_local_registry,
    of_proxy,
    of_registry,
    of_role,
)
from pykamal.config.models import Accessory
from pykamal.operations.execution.hint_rules import RULES
from pykamal.operations.execution.hints import hint_of
from pykamal.transport.session import StepResult
from tests.unit.samples import role

pytestmark = pytest.mark.unit

WEB, DB = role("web", "h"), Accessory("db", "app-db", "mysql", ("h",))
LOG_IN, LOG_IN_DB = of_registry(), of_registry("accessories/db/registry")
PULL, PULL_DB, PULL_PROXY = of_app(Action.PULL), of_accessory(Action.PULL, DB), of_proxy(Action.PULL)
RUN, RUN_DB, RUN_PROXY = of_role(Action.RUN, WEB), of_accessory(Action.RUN, DB), of_proxy(Action.RUN)
START, START_DB, START_PROXY = of_role(Action.START, WEB), of_accessory(Action.START, DB), of_proxy(Action.START)
SWITCH = of_role(Action.SWITCH, WEB)
EXECUTE, EXECUTE_DB, EXECUTE_HOST = (
    of_role(Action.EXECUTE, WEB),
    of_accessory(Action.EXECUTE, DB),
    of_host(Action.EXECUTE),
)
REGISTRY = of_local_registry()
LOOK_DB, LOOK_PROXY = of_accessory(Action.LOOK, DB), of_proxy(Action.LOOK)
BUILD, BUILDER, IMAGE = of_app(Action.BUILD), of_app(Action.CREATE_BUILDER), of_app(Action.CHECK_IMAGE)

UNKNOWN_MANIFEST = "Error response from daemon: manifest for x:1 not found: manifest unknown: manifest unknown"
CONTAINERD_STORE = 'failed to resolve reference "docker.io/library/x:1": docker.io/library/x:1: not found'
DENIED = "pull access denied for x, repository does not exist or may require 'docker login'"
SILENT = 'Get "http://10.0.0.9/v2/": dial tcp 10.0.0.9:80: connect: connection refused'
NO_PROXY = "Error response from daemon: No such container: kamal-proxy"
NO_CONTAINER = "Error: No such container: app-db"
NOT_RUNNING = "Error response from daemon: container 021e047537f3 is not running"
NO_ENGINE = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
NO_PROGRAM = 'OCI runtime exec failed: exec failed: exec: "exit": executable file not found in $PATH'
NO_NETWORK = "docker: Error response from daemon: network kamal not found."
FULL = "sh: 1: cannot create .kamal/app-audit.log: No space left on device"


def hint(subject: Subject | None, said: str, *, status: int = 1, host: str | None = "10.0.0.1") -> str | None:
    return hint_of(StepResult(Step("step", command("docker"), subject), status, "", said, 0.1), host)


@pytest.mark.parametrize(
    ("subject", "said", "advice"),
    [
        (LOG_IN, "login attempt failed with status: 401 Unauthorized", "check registry/username and registry/password"),
        (LOG_IN_DB, "unauthorized: incorrect username or password", "check accessories/db/registry/username"),
        (LOG_IN, "Error: Cannot perform an interactive login from a non TTY device", "password is empty"),
        (
            LOG_IN,
            SILENT,
            "the registry does not answer: check whether it is up and in reach from there, and registry/ser",
        ),
        (LOG_IN_DB, SILENT, "and accessories/db/registry/server in deploy.yml"),
        (LOG_IN, "x509: certificate signed by unknown authority", "/etc/docker/certs.d there"),
        (LOG_IN, "Error saving credentials: open /root/.docker/config.json: permission denied", "who owns ~/.docker"),
        (PULL, UNKNOWN_MANIFEST, "kamal build push"),
        (PULL, CONTAINERD_STORE, "kamal build push"),
        (PULL_DB, UNKNOWN_MANIFEST, "check accessories/db/image"),
        (RUN_DB, CONTAINERD_STORE, "check accessories/db/image"),
        (RUN_PROXY, f"{NO_PROXY}\n{UNKNOWN_MANIFEST}", "check registry, repository and version in proxy/run"),
        (RUN, UNKNOWN_MANIFEST, "neither there nor in the registry"),
        (PULL, DENIED, "registry/password"),
        (RUN_DB, DENIED, "give accessories/db/registry a username"),
        (PULL_PROXY, DENIED, "in proxy/run"),
        (PULL, 'Head "https://registry.example/v2/app": EOF', "the registry does not answer"),
        (RUN_PROXY, f"{NO_PROXY}\nGet https://docker.io/v2/: dial tcp: lookup", "the registry does not answer"),
        (RUN_DB, SILENT, "the registry that accessories/db names"),
        (PULL, "no matching manifest for linux/arm64/v8 in the manifest list entries", "builder/arch"),
        (PULL_DB, "no matching manifest for linux/arm64/v8", "accessories/db/image"),
        (PULL, "invalid reference format", "--version or VERSION"),
        (RUN_DB, "docker: invalid reference format", "accessories/db/image"),
        (PULL, "toomanyrequests: You have reached your pull rate limit", "log in to it"),
        (IMAGE, "Image app:1 is missing the 'service' label", "kamal build push"),
        (IMAGE, "Error response from daemon: No such image: app:1", "kamal build pull"),
        (RUN, 'exec: "nothing": executable file not found in $PATH: unknown', "see servers/web/cmd"),
        (RUN_DB, 'exec: "/x": permission denied: unknown', "see accessories/db/cmd"),
        (RUN, "unknown flag: --bogus", "check servers/web/options"),
        (RUN_DB, "invalid volume specification: ':/x'", "volumes"),
        (RUN_DB, "network backend not found", "accessories/db/network"),
        (
            RUN_PROXY,
            'Conflict. The container name "/kamal-proxy" is already in use by container "2e26"',
            "proxy reboot",
        ),
        (RUN_DB, 'Conflict. The container name "/app-db" is already in use', "kamal accessory reboot"),
        (REGISTRY, "Bind for 127.0.0.1:5555 failed: port is already allocated", "another port in registry/server"),
        (REGISTRY, SILENT, "registry:3"),
        (START_DB, NO_CONTAINER, "kamal accessory boot"),
        (START_PROXY, NO_PROXY, "kamal proxy boot"),
        (START, "Error: No such container: app-web-1", "kamal app containers"),
        (SWITCH, "Error: target failed to become healthy within configured timeout (30s)", "proxy/healthcheck/path"),
        (SWITCH, "Error: unknown flag: --rate-limit", "kamal proxy build"),
        (SWITCH, NO_PROXY, "kamal proxy boot"),
        (SWITCH, NOT_RUNNING, "kamal proxy start"),
        (SWITCH, "Error: service not found", "the proxy does not know role web yet"),
        (SWITCH, "Error: dial unix /tmp/kamal-proxy.sock: connect: connection refused", "kamal proxy logs"),
        (BUILD, 'ERROR: no builder "kamal-local" found', "kamal build create"),
        (BUILDER, "ERROR: existing instance for kamal-local", "kamal build remove"),
        (BUILD, 'process "/bin/sh -c false" did not complete successfully: exit code: 1', "a step of the Dockerfile"),
        (BUILD, "ERROR: failed to solve: nowhere/base:1: not found", "its FROM lines"),
        (BUILD, "failed to push x: no basic auth credentials", "registry/password"),
        (BUILD, 'failed to calculate checksum of ref x: "/app": not found', ".dockerignore"),
        (EXECUTE, NO_PROGRAM, "sh -c"),
        (EXECUTE, f"docker: {DENIED}.", "choose a version with --version"),
        (EXECUTE, NO_NETWORK, "kamal setup"),
        (EXECUTE_DB, NOT_RUNNING, "kamal accessory start"),
        (
            EXECUTE,
            "docker: Error response from daemon: Bind for 0.0.0.0:99 failed: port is already allocated",
            "--reuse",
        ),
        (LOOK_PROXY, NO_PROXY, "kamal proxy boot"),
        (LOOK_DB, NO_CONTAINER, "kamal accessory boot"),
        (None, "tail: cannot open '.kamal/app-audit.log' for reading: No such file or directory", "kamal deploy"),
        (None, NO_ENGINE, "systemctl start docker"),
        (PULL_DB, NO_ENGINE, "systemctl start docker"),
        (None, "sh: 1: docker: not found", "kamal server bootstrap"),
        (None, FULL, "the disk there is full"),
        (PULL, "write /var/lib/docker/tmp/x: no space left on device", "kamal prune all"),
        (None, "permission denied while trying to connect to the Docker daemon socket", "usermod -aG docker"),
        (None, "mkdir: cannot create directory '.kamal': Permission denied", "owner and mode"),
    ],
)
def test_hints(subject: Subject | None, said: str, advice: str) -> None:
    """design.md, rule 5: what to do next, where in deploy.yml."""
    found = hint(subject, said, status=125)
    assert found is not None
    assert advice in found
    assert "{" not in found


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (EXECUTE, "psql: FATAL: permission denied for database"),
        (EXECUTE, "HTTP 401 unauthorized"),
        (EXECUTE, "dial tcp 10.0.0.5:5432: connect: connection refused"),
        (EXECUTE, "write failed: no space left on device"),
        (EXECUTE_HOST, "curl: (22) unauthorized"),
        (RUN_DB, "x: no such file or directory"),
        (SWITCH, "Error: unauthorized"),
        (PULL, "Error: target failed to become healthy"),
    ],
)
def test_what_the_step_cannot_mean_gives_no_hint(subject: Subject, said: str) -> None:
    """The same words from a program of the user, or from another kind of step, are about something else."""
    assert hint(subject, said) is None


def test_a_command_of_the_user_on_the_host() -> None:
    """The shell's own status for a program that is not there; its words may be anybody's."""
    assert "no such program" in (hint(EXECUTE_HOST, "sh: 1: x: not found", status=127) or "")
    assert hint(EXECUTE_HOST, NO_PROXY, status=1) is None


def test_where_the_step_ran_is_told() -> None:
    """On this machine it is not the host's engine that is to be started."""
    assert "not running on this machine" in (hint(BUILD, NO_ENGINE, host=None) or "")
    assert "not running there" in (hint(PULL, NO_ENGINE) or "")


def test_an_accessory_is_never_answered_with_the_apps_image() -> None:
    """Of the app's build and registry nothing is said where the accessory's image is missing."""
    for subject in (PULL_DB, RUN_DB, EXECUTE_DB):
        for said in (UNKNOWN_MANIFEST, f"docker: {DENIED}", CONTAINERD_STORE):
            assert "build push" not in (hint(subject, said, status=125) or "")


def test_every_rule_is_for_some_step() -> None:
    """A rule for one kind of subject alone names actions too; the last ones are for every step."""
    assert all(rule.actions for rule in RULES if not isinstance(rule.hint, str))
    assert [bool(rule.actions) for rule in RULES] == sorted((bool(rule.actions) for rule in RULES), reverse=True)
