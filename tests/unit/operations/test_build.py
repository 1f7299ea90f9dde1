"""The commands of a build, line by line, for every kind of builder (spec/cli.md 15.3, 15.4).

Most kinds need machines or services that are not here, so the plans are looked at; `docker` and `pack` are scripts that
answer the two questions planning asks of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pykamal.config.models import Builder, Buildpacks, Registry
from pykamal.core.errors import BuildError, CommandFailed, DependencyError
from pykamal.events import Bus
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Plan
from pykamal.operations.execution.recording import RecordingExecutor
from pykamal.operations.images import build, builders, pull, registry
from pykamal.transport.local import LocalSession
from tests.unit import samples
from tests.unit.memory_fleet import MemoryFleet

pytestmark = pytest.mark.unit

DOCKER = """\
case "$1 $2" in
  "info --format") echo x86_64 ;;
  "buildx inspect") echo 'ERROR: no builder "x" found' >&2; exit 1 ;;
esac
"""
HUB = Registry("ghcr.io")
LOCAL = Registry("localhost:5555")
REMOTE = "ssh://me@10.0.0.9:2222"
LOCAL_BUILDER = "kamal-local-registry-docker-container"
REMOTE_BUILDER = "kamal-remote-ssh---me-10-0-0-9-2222"
HYBRID_BUILDER = "kamal-hybrid-docker-container-ssh---builder-local-registry"
BOTH = ("amd64", "arm64")
TAGS = '-t ghcr.io/acme/app:1 -t ghcr.io/acme/app:latest --label service="app"'
LOCAL_TAGS = '-t localhost:5555/acme/app:1 -t localhost:5555/acme/app:latest --label service="app"'
BUILD = "docker buildx build --output=type=registry"
START = (
    "docker start kamal-docker-registry || docker run --detach -p 127.0.0.1:5555:5000 --name kamal-docker-registry "
    "registry:3"
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Gives programs to run, by name and script; `docker` and `pack` are there already."""

    def provide(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").touch()
    provide("docker", DOCKER)
    provide("pack", "exit 0")
    return provide


def context(builder: Builder, server: Registry = HUB, **more: Any) -> Context:
    configuration = samples.config(samples.role("web", "10.0.0.1", "10.0.0.2"), builder=builder, registry=server)
    made = samples.context(configuration, **more)
    local_context = replace(made.local_context, clones=False, git_root=None)
    return replace(
        made,
        local=LocalSession(Bus()),
        fleet=MemoryFleet({}),  # type: ignore[arg-type]
        local_context=local_context,
    )


def lines(plan: Plan) -> list[str]:
    """`HOST: COMMAND` in order."""
    return [
        f"{task.host}: {step.command.display_text()}" for phase in plan for task in phase.tasks for step in task.script
    ]


def push_plan(given: Context) -> Plan:
    """Return the plan of `kamal build push`."""
    recording = RecordingExecutor()
    waited(build.push(replace(given, executor=recording)))
    return recording.plan("build push")


def waited(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(call)


@pytest.mark.process
@pytest.mark.parametrize(
    ("builder", "server", "expected"),
    [
        (Builder((), driver="docker"), HUB, [f"localhost: {BUILD} {TAGS} --file Dockerfile . 2>&1"]),
        (
            Builder(("amd64",)),
            LOCAL,
            [
                f"localhost: {START}",
                f"localhost: docker buildx rm {LOCAL_BUILDER}",
                (
                    f"localhost: docker buildx create --name {LOCAL_BUILDER} "
                    "--driver=docker-container --driver-opt network=host"
                ),
                (
                    f"localhost: {BUILD} --platform linux/amd64 --builder {LOCAL_BUILDER} "
                    f"{LOCAL_TAGS} --file Dockerfile . 2>&1"
                ),
            ],
        ),
        (
            Builder(BOTH, remote=REMOTE, local=False),
            HUB,
            [
                "me@10.0.0.9:2222: true",
                f"localhost: docker context rm {REMOTE_BUILDER}-context ; docker buildx rm {REMOTE_BUILDER}",
                (
                    f"localhost: docker context create {REMOTE_BUILDER}-context --description '{REMOTE_BUILDER} host' "
                    f"--docker 'host={REMOTE}' ; docker buildx create --name {REMOTE_BUILDER} {REMOTE_BUILDER}-context"
                ),
                (
                    f"localhost: {BUILD} --platform linux/amd64,linux/arm64 --builder {REMOTE_BUILDER} {TAGS} "
                    "--file Dockerfile . 2>&1"
                ),
            ],
        ),
        (
            Builder(BOTH, remote="ssh://builder"),
            LOCAL,
            [
                f"localhost: {START}",
                "builder: true",
                f"localhost: docker context rm {HYBRID_BUILDER}-context ; docker buildx rm {HYBRID_BUILDER}",
                (
                    f"localhost: docker buildx create --platform linux/amd64 --name {HYBRID_BUILDER} "
                    "--driver=docker-container --driver-opt network=host && docker context create "
                    f"{HYBRID_BUILDER}-context --description '{HYBRID_BUILDER} host' --docker 'host=ssh://builder' "
                    f"&& docker buildx create --platform linux/arm64 --append --name {HYBRID_BUILDER} "
                    f"--driver-opt network=host {HYBRID_BUILDER}-context"
                ),
                (
                    f"localhost: {BUILD} --platform linux/amd64,linux/arm64 --builder {HYBRID_BUILDER} {LOCAL_TAGS} "
                    "--file Dockerfile . 2>&1"
                ),
            ],
        ),
        (
            Builder(("amd64",), driver="cloud org/team"),
            HUB,
            [
                "localhost: docker buildx rm cloud-org-team",
                "localhost: docker buildx create --driver cloud org/team",
                f"localhost: {BUILD} --platform linux/amd64 --builder cloud-org-team {TAGS} --file Dockerfile . 2>&1",
            ],
        ),
        (
            Builder(("amd64",), pack=Buildpacks("heroku/builder:24"), dockerfile="none"),
            HUB,
            [
                (
                    "localhost: pack build ghcr.io/acme/app --platform linux/amd64 --creation-time now --builder "
                    "heroku/builder:24 --buildpack paketo-buildpacks/image-labels -t ghcr.io/acme/app:1 "
                    "-t ghcr.io/acme/app:latest --env BP_IMAGE_LABELS=service=app --path . "
                    "&& docker push ghcr.io/acme/app:1 && docker push ghcr.io/acme/app:latest"
                )
            ],
        ),
    ],
    ids=["engine", "local with local registry", "remote", "hybrid with local registry", "cloud", "pack"],
)
@pytest.mark.usefixtures("programs")
def test_push(builder: Builder, server: Registry, expected: list[str]) -> None:
    """15.3: the local registry is started for every kind; a missing builder is removed, if it is, and made."""
    assert lines(push_plan(context(builder, server))) == expected


@pytest.mark.process
@pytest.mark.usefixtures("programs")
def test_environment_and_secrets_of_a_remote_build() -> None:
    """15.3, step 8: BUILDKIT_NO_CLIENT_TOKEN, and secrets in the environment, never on the command line."""
    given = Builder(BOTH, remote=REMOTE, local=False, secrets=("TOKEN",))
    plan = push_plan(context(given, secrets={"TOKEN": "hush"}))
    (task,) = plan.phases[-1].tasks
    assert {name: str(value) for name, value in task.environment.items()} == {
        "TOKEN": "[REDACTED]",
        "BUILDKIT_NO_CLIENT_TOKEN": "1",
    }
    assert '--secret id="TOKEN"' in lines(plan)[-1]
    assert "hush" not in plan.phases[-1].tasks[0].script.steps[0].command.shell_text()
    assert task.shown


@pytest.mark.process
def test_an_inspection_that_fails_for_another_reason(programs: Callable[[str, str], None]) -> None:
    """15.3, step 7: only a missing builder is made; other failures are final."""
    programs("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(CommandFailed) as caught:
        waited(builders.missing_phases(context(Builder(("amd64",))), None))
    assert caught.value.hint is not None
    assert "systemctl start docker" in caught.value.hint


@pytest.mark.process
def test_buildpacks_have_no_builder_to_make(programs: Callable[[str, str], None]) -> None:
    """15.1: `pack` fails in its own words, and `build create` is refused."""
    programs("pack", "echo 'ERROR: builder does not exist' >&2; exit 1")
    given = context(Builder(("amd64",), pack=Buildpacks("heroku/builder:24")))
    with pytest.raises(CommandFailed, match="pack exit status: 1"):
        waited(builders.missing_phases(given, None))
    with pytest.raises(BuildError, match="Buildpacks have no builder to create"):
        waited(builders.create(given))


@pytest.mark.process
def test_docker_is_missing(programs: Callable[[str, str], None]) -> None:
    """15.3, step 2: before anything else is asked."""
    programs("docker", "[ $1 = --version ] || { echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1; }")
    with pytest.raises(DependencyError, match="Docker buildx plugin is not installed locally"):
        push_plan(context(Builder(("amd64",))))


PULL = [
    "docker pull ghcr.io/acme/app:1",
    (
        "docker inspect -f '{{ .Config.Labels.service }}' ghcr.io/acme/app:1 | grep -x app "
        "|| (echo \"Image ghcr.io/acme/app:1 is missing the 'service' label\" && exit 1)"
    ),
]


def test_pull() -> None:
    """15.4: on every host the audit line, the image, the label; with mirrors, one host for each goes first."""
    given = context(Builder(("amd64",)))
    plan = pull.pull_plan(given)
    assert [[step.command.display_text() for step in task.script][1:] for phase in plan for task in phase.tasks] == [
        PULL,
        PULL,
    ]
    seeded = pull.pull_plan(given, {"10.0.0.1": "mirror", "10.0.0.2": "mirror"})
    assert [(phase.announcements, phase.hosts) for phase in seeded] == [
        (("Pulling image on 10.0.0.1 to seed the mirror...",), ("10.0.0.1",)),
        (("Pulling image on remaining hosts...",), ("10.0.0.2",)),
    ]
    several = pull.pull_plan(given, {"10.0.0.1": "one", "10.0.0.2": "two"})
    assert [phase.announcements for phase in several] == [
        ("Pulling image on 10.0.0.1, 10.0.0.2 to seed the mirrors...",)
    ]


def test_registries() -> None:
    """14.9: a local registry is started, and nobody logs in to it."""
    assert [step.command.display_text() for step in registry.start_steps(context(Builder(()), LOCAL))] == [START]
    assert registry.login_steps(context(Builder(()), LOCAL)) == ()
    assert registry.start_steps(context(Builder(()), HUB)) == ()
