"""Every flow that changes servers, by Ruby Kamal and by ours from the same state: what is there afterwards is the same.

A life is lived twice, the two tools taking turns: what the one does in the first, the other does in the second, and
each takes over from the other. After every step whole servers and the exit codes are compared. What may differ is in
`DIFFERENT_STATES` and `DIFFERENT_EXITS`, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.parity import server_state
from tests.parity.server_state import State
from tests.parity.team import Team, Tool, plain, rehearsing, secure

pytestmark = pytest.mark.parity

Make = Callable[[Path, Sandbox], Team]


@dataclass(frozen=True, slots=True)
class Life:
    """`steps` are command lines; `@2` checks out the second version before, `V2` stands for it.

    `before` prepares the servers for a step, in both lives.
    """

    make: Make
    steps: tuple[str, ...]
    before: Mapping[str, Callable[[Team], None]]


def start_old_version(team: Team) -> None:
    """Start an old version, as a deploy leaves it that was killed before its end."""
    for host in team.hosts:
        host.docker("start", f"hello-web-{team.versions[0]}")


def publish_proxy_image(team: Team) -> None:
    """An upgrade removes the proxy's image, so it must come from a registry."""
    registry = team.application.sandbox.manifest
    login = ("-u", registry.registry_username, "-p", registry.registry_password)
    first = team.hosts[0]
    image = f"{registry.registry_server}/basecamp/kamal-proxy:v0.9.2"
    first.docker("login", registry.registry_server, *login)
    first.docker("tag", "basecamp/kamal-proxy:v0.9.2", image)
    first.docker("push", image)
    first.docker("image", "rm", image)
    first.docker("logout", registry.registry_server)
    team.application.configure(
        proxy={"app_port": 8000, "healthcheck": {"path": "/up"}, "run": {"registry": registry.registry_server}}
    )


LIVES: Final = {
    "without an application": Life(
        plain,
        (
            *("server bootstrap @1", "registry login", "registry logout"),
            *("lock acquire -m hands", "lock acquire -m off", "lock status", "lock release", "lock release"),
            *("server exec date", "proxy boot", "prune all"),
        ),
        {},
    ),
    "a year": Life(
        rehearsing,
        (
            *("setup @1", "deploy @2", "deploy @3", "deploy @4", "rollback V3", "accessory reboot jobs"),
            *("app maintenance --message Later", "app live", "prune all", "app boot"),
            *("app remove -r web", "app remove -r worker", "setup @5", "deploy @6"),
        ),
        {},
    ),
    "the application": Life(
        plain,
        (
            *("setup @1", "deploy @2", "app stop", "app start", "app boot", "app boot --version V1"),
            *("app stale_containers", "app stale_containers --stop", "app exec --reuse date", "app exec date"),
            *("app exec --detach sleep 9999", "app exec false", "app maintenance --drain-timeout 1", "app live"),
            *("deploy @3", "prune containers --retain 1", "prune images", "app stop", "app remove_container V1"),
            *("app remove_containers", "app remove_images"),
            *("app remove_app_directories", "app remove", "build deliver @3", "app boot"),
        ),
        {"app stale_containers": start_old_version},
    ),
    "a redeploy": Life(plain, ("setup @1", "redeploy @2", "redeploy @2"), {}),
    "accessories": Life(
        plain,
        (
            *("accessory boot all @1", "accessory boot jobs", "accessory stop jobs", "accessory start jobs"),
            *("accessory restart jobs", "accessory exec jobs date", "accessory exec jobs --reuse date"),
            *("accessory reboot all", "accessory upload jobs", "accessory directories jobs"),
            *("accessory pull_image jobs", "accessory stop jobs", "accessory remove_container jobs"),
            *("accessory remove_image jobs", "accessory remove_service_directory jobs", "accessory boot jobs"),
            *("accessory details nosuch", "accessory boot nosuch", "accessory upgrade all -y"),
            *("accessory remove jobs -y", "accessory boot jobs", "accessory remove all -y"),
        ),
        {},
    ),
    "behind the proxy": Life(
        secure,
        (
            *("setup @1", "accessory stop admin", "accessory start admin", "accessory restart admin"),
            *("accessory reboot admin", "proxy reboot -y", "proxy restart", "accessory remove admin -y"),
        ),
        {},
    ),
    "the proxy": Life(
        plain,
        (
            *("proxy boot @1", "proxy stop", "proxy start", "proxy restart"),
            *("proxy boot_config set --log-max-size 5m --publish-host-ip 127.0.0.1", "proxy boot_config get"),
            *("proxy reboot -y", "proxy boot_config reset", "setup @1", "proxy reboot --rolling -y"),
            *("proxy remove", "proxy remove_container", "proxy stop", "proxy remove_container", "proxy boot"),
            *("proxy remove --force",),
        ),
        {},
    ),
    "the end of the proxy": Life(
        plain,
        ("proxy boot @1", "proxy stop", "proxy remove_container", "proxy remove_image", "proxy remove_proxy_directory"),
        {},
    ),
    "an upgrade": Life(
        plain,
        ("setup @1", "upgrade -y", "proxy upgrade --rolling -y", "upgrade --rolling -y", "remove -y"),
        {"setup @1": publish_proxy_image},
    ),
}
SAMPLE: Final = "without an application"
"""Runs in every test run; the others with `make parity`."""

TURNS: Final[dict[str, tuple[Tool, Tool]]] = {"Ruby first": ("ruby", "ours"), "ours first": ("ours", "ruby")}

UNKNOWN: Final = "an unknown name is a failure here, as everywhere else (spec/cli.md 22, 11)"
RUN_DIRECTORY: Final = (
    r"/1/files//root/\.kamal",
    "Ruby makes the empty run directory on every host as it takes the lock, ours with the first thing that it writes",
)

MADE_AHEAD: Final = (
    r"/\d/containers/kamal-proxy/config/AttachStd(err|out)",
    "the new proxy is made before the old one stops, by `docker create`, which notes that its creator may attach",
)

DIFFERENT_EXITS: Final = {
    ("accessories", "accessory details nosuch"): (0, 1, UNKNOWN),
    ("accessories", "accessory boot nosuch"): (0, 1, UNKNOWN),
    ("the proxy", "proxy remove"): (0, 1, "a proxy that other apps need is not removed, which is a refusal"),
}
"""By life and step: Ruby's exit code, ours, and why."""

DIFFERENT_STATES: Final = {
    ("without an application", "server bootstrap @1"): RUN_DIRECTORY,
    ("accessories", "accessory boot all @1"): RUN_DIRECTORY,
    ("the proxy", "proxy reboot -y"): MADE_AHEAD,
    ("behind the proxy", "proxy reboot -y"): MADE_AHEAD,
}
"""By life and step: a pattern of paths into the state, and why; from that step to the end of the life."""


@dataclass
class Stage:
    """The state after one step."""

    tool: Tool
    exit_code: int
    output: str
    served: list[str | None]
    servers: list[State]

    @property
    def told(self) -> str:
        return f"{self.tool}:\n{self.output}"


Stages = dict[str, dict[int, Stage]]


class Lives:
    """Lived when first asked for, one after the other on the same servers."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._lived: dict[str, Stages] = {}

    def __getitem__(self, name: str) -> Stages:
        if name not in self._lived:
            self._lived[name] = {turns: dict(self._live(name, turns)) for turns in TURNS}
        return self._lived[name]

    def _live(self, name: str, turns: str) -> Iterator[tuple[int, Stage]]:
        for host in reset(self._sandbox):
            host.run(["rm", "-rf", *(f"/root/hello-{accessory}" for accessory in ("jobs", "admin")), "/srv/jobs"])
        folder = self._folder / name.replace(" ", "-")
        folder.mkdir(exist_ok=True)
        life = LIVES[name]
        team = life.make(folder / turns.replace(" ", "-"), self._sandbox)
        for number, step in enumerate(life.steps):
            if step in life.before:
                life.before[step](team)
            yield number, _take(team, step, TURNS[turns][number % 2])


def _take(team: Team, step: str, tool: Tool) -> Stage:
    words = step.split()
    if words[-1].startswith("@"):
        team.be_at(int(words.pop()[1:]))
    named = [team.versions[int(word[1:]) - 1] if re.fullmatch(r"V\d", word) else word for word in words]
    outcome = team.run(tool, *named, expect=None)
    if tool == "ruby" and words[0] == "redeploy":
        team.run(tool, "prune", "all")  # our redeploy prunes by itself (docs/differences.md)
    with ThreadPoolExecutor(2) as pool:
        servers = list(pool.map(lambda host: server_state.read(host, team.short_names), team.hosts))
    return Stage(tool, outcome.exit_code, outcome.text, team.served(), servers)


@pytest.fixture(scope="module")
def lives(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Lives:
    return Lives(sandbox, tmp_path_factory.mktemp("flows"))


def _only_the_sample_is_short(life: str, rest: object, identifier: str) -> Any:
    return pytest.param(life, rest, id=f"{life}, {identifier}", marks=[] if life == SAMPLE else [pytest.mark.long])


EACH_STEP = pytest.mark.parametrize(
    ("life", "number"),
    [
        _only_the_sample_is_short(name, number, f"{number + 1} {step}")
        for name, life in LIVES.items()
        for number, step in enumerate(life.steps)
    ],
)


@EACH_STEP
def test_servers_are_in_the_same_state(lives: Lives, life: str, number: int) -> None:
    """spec/cli.md 12 to 14 and 23: containers, images, networks, volumes, files and modes, lock, audit, services."""
    ruby_first, ours_first = (lives[life][turns][number] for turns in TURNS)
    earlier = LIVES[life].steps[: number + 1]
    allowed = [DIFFERENT_STATES[life, step][0] for step in earlier if (life, step) in DIFFERENT_STATES]
    found = [
        difference
        for difference in server_state.differences(ruby_first.servers, ours_first.servers)
        if not any(re.fullmatch(pattern, difference[0]) for pattern in allowed)
    ]
    assert found == [], f"{ruby_first.told}\n{ours_first.told}"
    assert ruby_first.served == ours_first.served, f"{ruby_first.told}\n{ours_first.told}"


@EACH_STEP
def test_exit_codes_are_the_same(lives: Lives, life: str, number: int) -> None:
    """spec/cli.md 5."""
    stages = [lives[life][turns][number] for turns in TURNS]
    code = {stage.tool: stage.exit_code for stage in stages}
    ruby, ours, _ = DIFFERENT_EXITS.get((life, LIVES[life].steps[number]), (code["ruby"], code["ruby"], ""))
    assert (code["ruby"], code["ours"]) == (ruby, ours), "\n".join(stage.told for stage in stages)


@pytest.mark.parametrize(
    ("life", "step"), [_only_the_sample_is_short(life, step, step) for life, step in DIFFERENT_STATES]
)
def test_what_is_allowed_to_differ_does(lives: Lives, life: str, step: str) -> None:
    """An exception that is no longer needed is taken off the list."""
    number = LIVES[life].steps.index(step)
    ruby_first, ours_first = (lives[life][turns][number].servers for turns in TURNS)
    pattern, _ = DIFFERENT_STATES[life, step]
    assert any(re.fullmatch(pattern, path) for path, _, _ in server_state.differences(ruby_first, ours_first))
