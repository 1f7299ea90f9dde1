"""A plan equals its run: every command that changes something, planned and run on hosts in memory.

Both begin with the same hosts. The steps have to be the same for each host, in the same order; a plan does nothing but
read. Not in a plan is what goes around steps: the deploy lock.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pykamal.cli.table import COMMANDS
from pykamal.commands.command import Effect, command
from pykamal.commands.script import Step, script
from pykamal.config.models import Accessory, Boot, Builder, Config, Credential, Env, File, Proxy, ProxyRun, Registry
from pykamal.config.models.proxy_extension import ProxyEngine
from pykamal.core.sensitive import Sensitive
from pykamal.operations import removal
from pykamal.operations.accessory import lifecycle as accessory
from pykamal.operations.context import Context
from pykamal.operations.execution.executor import ActingExecutor
from pykamal.operations.execution.recording import RecordingExecutor
from pykamal.operations.hosts import lock
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.operations.proxy import boot_config
from pykamal.operations.secrets.rotate import rotate
from tests.unit.memory_fleet import MemoryFleet
from tests.unit.samples import GivenSecrets, config, context, role

pytestmark = pytest.mark.unit

A, B = "10.0.0.1", "10.0.0.2"
REVISION = "c0ffee" * 6 + "c0ff"
RANDOM = re.compile(r"(?<=[-_])(?:[0-9a-f]{16}|[0-9a-f]{12})\b")
LOCK = ("make run directory", "acquire lock", "release lock")
HOOKS = (
    *("docker-setup", "pre-build", "pre-deploy", "post-deploy", "pre-app-boot", "post-app-boot"),
    *("pre-proxy-reboot", "post-proxy-reboot"),
)

DB = Accessory("db", "app-db", "db:1", (A,), proxy=Proxy(hosts=("db.example",), app_port=8080))
JOBS = Accessory("jobs", "app-jobs", "jobs:1", (A, B))
HUB = Registry("ghcr.io", Credential("user"), Credential(secret="REGISTRY_PASSWORD"))
LOCAL_REGISTRY = Registry("localhost:5555")
SHOP = config(role("web", A, B), role("worker", B), accessories=(DB, JOBS), registry=HUB)

PROXY = Container("kamal-proxy", "running", "basecamp/kamal-proxy:v0.9.2")
OLD_PROXY = replace(PROXY, image="basecamp/kamal-proxy:v0.8.0")
V1 = tuple(Container(f"app-{name}-v1", "running", "acme/app:v1", "app", name) for name in ("web", "worker"))
V2 = tuple(replace(each, name=each.name.replace("v1", "v2"), state="exited") for each in V1)
STALE = tuple(replace(each, state="running") for each in V2)
ACCESSORIES = tuple(Container(f"app-{name}", "running", f"{name}:1", f"app-{name}") for name in ("db", "jobs"))


def hosts(*containers: Container) -> dict[str, HostFacts]:
    return {host: HostFacts(host, containers) for host in (A, B)}


EMPTY = hosts()
DEPLOYED = hosts(PROXY, *V1, *V2, *ACCESSORIES)


@dataclass(frozen=True)
class Case:
    """One command. `own` is the flow of a command whose handler is not one; `given` are its arguments and options."""

    command: str
    facts: dict[str, HostFacts]
    given: dict[str, Any] = field(default_factory=dict)
    config: Config = SHOP
    own: Callable[..., Awaitable[None]] | None = None
    answers: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    bare: tuple[str, ...] = ()
    hooks: bool = False

    @property
    def flow(self) -> Callable[..., Awaitable[None]]:
        (row,) = (row for row in COMMANDS if row.path == self.command)
        flow: Callable[..., Awaitable[None]] = self.own or row.function()
        return flow


PUSHED = {"skip_push": True}
OURS = replace(SHOP, extension=replace(SHOP.extension, proxy=replace(SHOP.extension.proxy, engine=ProxyEngine.PYKAMAL)))
LACKING = {
    "proxy image": "missing\namd64",
    "describe proxy image": json.dumps({"path": "proxy.tar", "revision": "r1", "architecture": "amd64"}),
}
OF_DOCKER_HUB = replace(SHOP, registry=replace(HUB, server=None))
BUILDER = replace(SHOP, builder=Builder(("amd64",)))

WITH_TOKEN = Env(secrets=("TOKEN",))
SECRET = config(
    role("web", A, B, env=WITH_TOKEN),
    role("worker", B, env=WITH_TOKEN),
    accessories=(replace(DB, env=WITH_TOKEN), replace(JOBS, env=Env(secrets=("JOBS_TOKEN:TOKEN",)))),
    registry=HUB,
)

CASES: dict[str, Case] = {
    "setup of empty hosts": Case("setup", EMPTY),
    "setup of a host without Docker, with hooks": Case("setup", EMPTY, bare=(B,), hooks=True),
    "setup with our proxy": Case(
        "setup",
        EMPTY,
        config=OURS,
        bare=(B,),
        answers=LACKING,
    ),
    "setup again": Case("setup", DEPLOYED),
    "deploy of a new version": Case("deploy", DEPLOYED),
    "deploy of the same version": Case("deploy", DEPLOYED, PUSHED, settings={"version": "v1"}),
    "deploy with hooks": Case("deploy", DEPLOYED, hooks=True),
    "first deploy with hooks": Case("deploy", EMPTY, PUSHED, hooks=True),
    "deploy with stopped proxies": Case("deploy", hosts(replace(PROXY, state="exited"), *V1)),
    "deploy with old proxies": Case("deploy", hosts(OLD_PROXY, *V1), settings={"upgrade_proxy": True}),
    "deploy with our proxy": Case(
        "deploy",
        EMPTY,
        config=OURS,
        answers=LACKING,
        hooks=True,
    ),
    "deploy with registry mirrors": Case(
        "deploy", DEPLOYED, PUSHED, config=OF_DOCKER_HUB, answers={"registry mirrors": "mirror"}
    ),
    "deploy with a local registry": Case("deploy", DEPLOYED, config=replace(SHOP, registry=LOCAL_REGISTRY)),
    "deploy in groups": Case("deploy", DEPLOYED, PUSHED, config=replace(SHOP, boot=Boot(limit=1)), hooks=True),
    "deploy of roles in parallel": Case(
        "deploy", DEPLOYED, PUSHED, config=replace(SHOP, boot=Boot(parallel_roles=True))
    ),
    "redeploy": Case("redeploy", DEPLOYED, hooks=True),
    "rollback": Case("rollback", DEPLOYED, {"version": "v2"}, hooks=True),
    "remove": Case("remove", DEPLOYED, own=removal.remove, answers={"count apps": "1"}),
    "remove beside another app": Case("remove", DEPLOYED, own=removal.remove, answers={"count apps": "2"}),
    "upgrade": Case("upgrade", DEPLOYED, hooks=True),
    "upgrade in turn": Case("upgrade", DEPLOYED, {"rolling": True}),
    "app boot": Case("app boot", DEPLOYED, hooks=True),
    "app live": Case("app live", DEPLOYED),
    "app maintenance": Case("app maintenance", DEPLOYED, {"drain_timeout": 3}),
    "app remove": Case("app remove", DEPLOYED),
    "app remove_app_directories": Case("app remove_app_directories", DEPLOYED),
    "app remove_container": Case("app remove_container", DEPLOYED, {"version": "v2"}),
    "app remove_containers": Case("app remove_containers", DEPLOYED),
    "app remove_images": Case("app remove_images", DEPLOYED),
    "app stale_containers": Case(
        "app stale_containers", hosts(*V1, *(replace(each, state="running") for each in V2)), {"stop": True}
    ),
    "app start": Case("app start", DEPLOYED, settings={"version": "v2"}),
    "app stop": Case("app stop", DEPLOYED),
    "build create": Case("build create", EMPTY, config=BUILDER),
    "build deliver": Case("build deliver", EMPTY),
    "build dev": Case("build dev", EMPTY),
    "build pull": Case("build pull", EMPTY, config=OF_DOCKER_HUB, answers={"registry mirrors": "mirror"}),
    "build push": Case("build push", EMPTY, hooks=True),
    "build push to a local registry": Case("build push", EMPTY, config=replace(SHOP, registry=LOCAL_REGISTRY)),
    "build remove": Case("build remove", EMPTY, config=BUILDER),
    "lock acquire": Case("lock acquire", EMPTY, {"message": "later"}),
    "lock release": Case("lock release", EMPTY),
    "proxy boot": Case("proxy boot", EMPTY),
    "proxy boot with old proxies": Case("proxy boot", hosts(OLD_PROXY), settings={"upgrade_proxy": True}, hooks=True),
    "proxy boot_config set": Case("proxy boot_config", EMPTY, {"settings": ProxyRun()}, own=boot_config.store),
    "proxy boot_config reset": Case("proxy boot_config", EMPTY, own=boot_config.reset),
    "proxy build": Case("proxy build", EMPTY, config=OURS, answers=LACKING),
    "proxy reboot": Case("proxy reboot", DEPLOYED, {"rolling": True}, hooks=True),
    **{
        f"proxy {name}": Case(f"proxy {name}", DEPLOYED)
        for name in ("remove", "remove_container", "remove_image", "remove_proxy_directory", "restart", "start", "stop")
    },
    "proxy upgrade": Case("proxy upgrade", DEPLOYED),
    **{
        f"accessory {name}": Case(f"accessory {name}", EMPTY if name == "boot" else DEPLOYED, {"name": "db"})
        for name in (
            *("boot", "directories", "pull_image", "reboot", "remove_container", "remove_image"),
            *("remove_service_directory", "restart", "start", "stop", "upload"),
        )
    },
    "accessory boot of those that are missing": Case("accessory boot", hosts(PROXY, ACCESSORIES[0]), {"name": "all"}),
    "accessory reboot of all": Case("accessory reboot", DEPLOYED, {"name": "all"}),
    "accessory remove": Case("accessory remove", DEPLOYED, {"name": "all"}, own=accessory.remove),
    "accessory upgrade": Case("accessory upgrade", DEPLOYED, {"name": "all", "rolling": True}),
    **{f"prune {name}": Case(f"prune {name}", DEPLOYED) for name in ("all", "containers", "images")},
    **{f"registry {name}": Case(f"registry {name}", EMPTY) for name in ("login", "logout", "remove", "setup")},
    "registry setup of a local one": Case("registry setup", EMPTY, config=replace(SHOP, registry=LOCAL_REGISTRY)),
    "secrets rotate": Case("secrets rotate", DEPLOYED, {"names": ["TOKEN"]}, config=SECRET, own=rotate, hooks=True),
    "secrets rotate of a registry": Case(
        "secrets rotate", DEPLOYED, {"names": ["REGISTRY_PASSWORD"]}, config=SECRET, own=rotate
    ),
    "secrets rotate beside hosts where nothing runs": Case(
        "secrets rotate", {A: DEPLOYED[A], B: EMPTY[B]}, {"names": ["TOKEN"]}, config=SECRET, own=rotate
    ),
    "server bootstrap": Case("server bootstrap", EMPTY, bare=(A, B), hooks=True),
}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(lock, "now", lambda: "now")
    for name in ("Dockerfile", "proxy.tar"):
        Path(name).touch()
    Path("proxy.tar.gz").write_bytes(b"image")
    Path("hooks").mkdir()
    for hook in HOOKS:
        (Path("hooks") / hook).touch()


class Secrets(GivenSecrets):
    used = False

    def __getitem__(self, name: str) -> Sensitive:
        self.used = True
        return super().__getitem__(name)


def made(case: Case, executor: Any) -> tuple[Context, MemoryFleet]:
    fleet = MemoryFleet(case.facts, {"clone is at the commit": REVISION, **case.answers}, bare=case.bare)
    configuration = replace(case.config, hooks_path="hooks" if case.hooks else "none")
    run = context(configuration, secrets={"TOKEN": "hush"}, **{"version": "v3", **case.settings})
    # `build dev` asks the real Git about files where there is a repository.
    root = None if case.command == "build dev" else "/app"
    run.local_context = replace(run.local_context, revision=REVISION, git_root=root)
    run.secrets = Secrets(run.secrets)  # type: ignore[call-overload]
    return replace(run, executor=executor, fleet=fleet, local=fleet.local, operation=case.command), fleet  # type: ignore[arg-type]


def by_host(steps: Iterable[tuple[str, Step]]) -> dict[str, list[tuple[str, str]]]:
    """Names and commands of the steps of each host, in order."""
    found = defaultdict(list)
    for host, step in steps:
        found[host].append((step.name, RANDOM.sub("RANDOM", step.command.display_text())))
    return dict(found)


def changing(steps: Iterable[tuple[str, Step]]) -> list[tuple[str, Step]]:
    return [(host, step) for host, step in steps if step.command.effect is Effect.CHANGE]


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_what_is_done(name: str) -> None:
    """A plan is data, and the only path: the same steps on every host in the same order, both ways."""
    case = CASES[name]
    recording = RecordingExecutor()
    run, looked_at = made(case, recording)
    asyncio.run(case.flow(run, **case.given))  # type: ignore[arg-type]
    planned = [(task.host, s) for phase in recording.plan("") for task in phase.tasks for s in task.script]
    assert changing(looked_at.done) == [], "a plan changes nothing"

    run, fleet = made(case, ActingExecutor())
    asyncio.run(case.flow(run, **case.given))  # type: ignore[arg-type]
    around = () if case.command.startswith("lock") else LOCK
    done = [(host, step) for host, step in fleet.done if step.name not in around]
    every, expected = by_host(done), by_host(changing(planned))
    for host, steps in by_host(changing(done)).items():
        assert steps == expected.pop(host, []), f"every step on {host} was planned"
    assert expected == {}, "and no other"
    for host, steps in by_host(planned).items():
        missing = [step for step in steps if step not in every[host]]
        assert missing == [], f"what only looks is done as well on {host}"


@pytest.mark.parametrize(
    "server", [None, "docker.io", "index.docker.io/acme", "acme", "ghcr.io", "registry:5000", "localhost"]
)
def test_mirrors_are_asked_for_where_docker_has_any(server: str | None) -> None:
    """The engine takes images of Docker Hub alone from its mirrors, and hosts need a tenth of a second to tell them."""
    case = Case("build pull", EMPTY, config=replace(SHOP, registry=replace(HUB, server=server)))
    run, fleet = made(case, ActingExecutor())
    asyncio.run(case.flow(run))  # type: ignore[arg-type]
    asked = [host for host, step in fleet.done if step.name == "registry mirrors"]
    assert bool(asked) is (server in {None, "docker.io", "index.docker.io/acme", "acme"})


def with_secrets(config: Config) -> Config:
    """The same project, with a secret wherever there can be one."""
    Path("settings.erb").write_text("<%= ENV['TOKEN'] %>")
    env, file = Env(secrets=("TOKEN",)), File("settings.erb", "/etc/settings")
    return replace(
        config,
        roles=tuple(replace(each, env=env) for each in config.roles),
        accessories=tuple(replace(each, env=env, files=(file,)) for each in config.accessories),
        builder=replace(config.builder, secrets=("TOKEN",)),
    )


def test_what_uses_secrets_is_marked_and_nothing_else() -> None:
    """A command that is marked without need would fail if a secret manager is down, such as `app stop`."""
    using = set()
    for case in CASES.values():
        run, _ = made(replace(case, config=with_secrets(case.config)), ActingExecutor())
        run.secrets["TOKEN"] = Sensitive("token")  # type: ignore[index]
        asyncio.run(case.flow(run, **case.given))  # type: ignore[arg-type]
        using |= {case.command} if run.secrets.used else set()  # type: ignore[attr-defined]
    assert using == {row.path for row in COMMANDS if row.uses_secrets and row.plans}


def test_every_command_that_plans_is_here() -> None:
    """`--plan` exists for every command that changes a host, and each has a case."""
    assert {case.command for case in CASES.values()} == {row.path for row in COMMANDS if row.plans}


def test_a_step_past_the_executor_would_be_found() -> None:
    """A flow that changes a host by a session of its own shows in what hosts in memory did."""

    async def unplanned(run: Context) -> None:
        session = await run.fleet.session(A)
        await session.run_script(script(Step("remove", command("rm", "-rf", "data"))))

    run, fleet = made(Case("prune all", EMPTY), RecordingExecutor())
    asyncio.run(unplanned(run))
    assert [host for host, _ in changing(fleet.done)] == [A]
