"""Two tools, one set of servers: a team goes over from Ruby Kamal and back at any step, and the servers cannot tell.

The same life of an application is lived twice from the same beginning, and what Ruby Kamal does in the one our `kamal`
does in the other: each tool takes each step, and takes over from the other. After every step whole servers are compared
(`server_state`): they are the same, to the last label. What hooks are told differs in `ALLOWED_IN_HOOKS` only.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.parity import server_state
from tests.parity.server_state import State, differences
from tests.parity.team import SITE, Team, Tool, rehearsing, secure

pytestmark = pytest.mark.parity

REHEARSAL = ("setup 1", "deploy 2", "deploy 3", "rollback 2", "redeploy 2")
SECURE = {
    "setup 1": ["V1", "V1"],
    "deploy 2": ["V2", "V2"],
    "app maintenance --message Later": [None, None],
    "app live": ["V2", "V2"],
    "app stop": [None, None],
    "app start": ["V2", "V2"],
    "accessory reboot admin": ["V2", "V2"],
    "broken 3": ["V2", "V2"],
    "accessory remove admin -y": ["V2", "V2"],
    "app remove": [None, None],
    "proxy remove": [None, None],
    "registry logout": [None, None],
}
"""The answers of the servers after each step; `broken` deploys a version that never gets healthy."""
ORDERS: dict[str, tuple[Tool, ...]] = {
    "Ruby first": ("ruby", "ours", "ruby", "ruby", "ours"),
    "ours first": ("ours", "ruby", "ours", "ours", "ruby"),
    "secure, Ruby first": ("ruby", "ours") * 6,
    "secure, ours first": ("ours", "ruby") * 6,
}
READ_AFTER = "deploy 2"
AGE = re.compile(r"(\d+|About an?|Less than a) (second|minute|hour)s?")
READINGS = (
    "app version",
    "app details",
    "app containers",
    "app images",
    "lock status",
    "audit",
    "accessory details all",
)

SECRETS = ("REGISTRY_PASSWORD", "DATABASE_URL", "QUOTED", "PRIVATE_KEY", "JOBS_TOKEN", "CERTIFICATE", "KEY")
ALLOWED_IN_HOOKS = {
    ("rollback 2", "pre-connect", "KAMAL_VERSION"): "Ruby names the commit that is checked out, before it looks at its "
    "arguments; ours the version that the rollback is to, as it does in every other hook",
    ("rollback 2", "pre-connect", "KAMAL_SERVICE_VERSION"): "the same",
    ("app stop", "pre-connect", "KAMAL_SUBCOMMAND"): "Ruby never sets it, though it is documented (spec/cli.md 22, 4); "
    "the same for every command of a group",
}


@dataclass
class Stage:
    """The state after one step of an application's life."""

    tool: Tool
    served: list[str | None]
    servers: list[State]
    published: dict[str, str | None]
    hooks: list[tuple[str, dict[str, str]]]
    readings: dict[str, dict[Tool, list[str]]] = field(default_factory=dict)


class Lives:
    """Lived when first asked for, one after the other on the same servers; `read` are those that both tools look at."""

    def __init__(self, sandbox: Sandbox, folder: Path, *, read: Collection[str]) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._read = read
        self._lived: dict[str, dict[str, Stage]] = {}

    def __getitem__(self, order: str) -> dict[str, Stage]:
        if order not in self._lived:
            begin_anew(self._sandbox)
            make, steps = (secure, SECURE) if "secure" in order else (rehearsing, REHEARSAL)
            team = make(self._folder / order.replace(" ", "-").replace(",", ""), self._sandbox)
            stages = self._lived[order] = {}
            for step, tool in zip(steps, ORDERS[order], strict=True):
                stages[step] = take(team, step, tool)
                if order in self._read and step == READ_AFTER:
                    stages[step].readings = read_by_both(team)
        return self._lived[order]


def take(team: Team, step: str, tool: Tool) -> Stage:
    *verb, number = step.split()
    if verb == ["rollback"]:
        team.run(tool, "rollback", team.versions[int(number) - 1])
    elif verb == ["broken"]:
        team.break_next()
        team.run(tool, "deploy", expect=1)
    elif number.isdigit():
        team.be_at(int(number))
        team.run(tool, *verb)
    else:
        team.run(tool, *step.split())
    hooks = team.hooks_taken()
    if verb == ["redeploy"] and tool == "ruby":
        team.run(tool, "prune", "all")  # our redeploy prunes by itself (docs/differences.md)
        team.hooks_taken()
    latest = "-".join(["latest", *team.flags[1:]])
    tags = server_state.published(team.application.sandbox, "hello/app", [*team.versions, latest])
    digests = {digest: team.short_names[tag] for tag, digest in tags.items() if tag != latest}
    return Stage(
        tool=tool,
        served=team.served(),
        servers=servers(team),
        published={team.short_names.get(tag, tag): digests.get(digest) for tag, digest in tags.items()},
        hooks=[(name, told(variables, team)) for name, variables in hooks],
    )


def servers(team: Team) -> list[State]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda host: server_state.read(host, team.short_names), team.hosts))


def told(variables: dict[str, str], team: Team) -> dict[str, str]:
    """A hook's variables that are Kamal's, commits by their short names."""
    found = {name: value for name, value in variables.items() if name.startswith("KAMAL_") or name in SECRETS}
    for version, short in team.short_names.items():
        found = {name: value.replace(version, short) for name, value in found.items()}
    return found


def read_by_both(team: Team) -> dict[str, dict[Tool, list[str]]]:
    """Return each tool's output by paragraphs, since hosts answer in any order."""

    def read(tool: Tool, command: str) -> list[str]:
        outcome = team.run(tool, *command.split(), "-q")
        lines = "\n".join(map(without_ages, outcome.stdout.splitlines()))
        return sorted(filter(None, (paragraph.strip() for paragraph in lines.split("\n\n"))))

    tools: tuple[Tool, ...] = ("ruby", "ours")
    with ThreadPoolExecutor(4) as pool:
        begun = {command: {tool: pool.submit(read, tool, command) for tool in tools} for command in READINGS}
        shown = {command: {tool: each.result() for tool, each in both.items()} for command, both in begun.items()}
    team.hooks_taken()
    return shown


def without_ages(line: str) -> str:
    return " ".join(AGE.sub("some time", line).split())


def begin_anew(sandbox: Sandbox) -> list[Host]:
    hosts = reset(sandbox)
    for host in hosts:
        host.run(["rm", "-rf", "/root/hello-jobs", "/root/hello-admin", "/srv/jobs", "/srv/shared"])
    return hosts


@pytest.fixture(scope="module")
def lives(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Lives:
    name = test_each_tool_reads_what_the_other_left.__name__
    functions = (item for item in request.session.items if isinstance(item, pytest.Function))
    read = {str(item.callspec.params["order"]) for item in functions if item.originalname == name}
    return Lives(sandbox, tmp_path_factory.mktemp("lives"), read=read)


LONG = pytest.mark.long
"""The secure lives have 24 steps; `make e2e` lives the others, which have ten, and reads in one of them."""
MIXED = pytest.mark.parametrize("order", ["Ruby first", "ours first"])
EACH_STEP = pytest.mark.parametrize("step", REHEARSAL)


@MIXED
@EACH_STEP
def test_what_was_deployed_is_served(lives: Lives, order: str, step: str) -> None:
    """spec/cli.md 13: each step ends well, whoever took the one before, and every server answers with its version."""
    stage = lives[order][step]
    assert stage.served == [f"V{step.split()[1]}"] * 2


@EACH_STEP
def test_servers_are_in_the_same_state(lives: Lives, step: str) -> None:
    """spec/cli.md 23: containers, images, networks, volumes, files and modes, lock, audit log, the proxy's services."""
    ruby_first, ours_first = lives["Ruby first"][step], lives["ours first"][step]
    assert ruby_first.tool != ours_first.tool
    assert list(differences(ruby_first.servers, ours_first.servers)) == []
    assert ours_first.published == ruby_first.published


@EACH_STEP
def test_hooks_are_told_the_same(lives: Lives, step: str) -> None:
    """spec/cli.md 9.2 and 9.3: the same hooks in the same order, the same variables, the secrets where they belong."""
    assert comparable(lives["Ruby first"][step], step) == comparable(lives["ours first"][step], step)


def comparable(stage: Stage, step: str) -> list[tuple[str, dict[str, str]]]:
    hooks: list[tuple[str, dict[str, str]]] = []
    for name, variables in stage.hooks:
        if hooks and hooks[-1][0] == name == "pre-connect":
            continue  # Ruby's may run several times at once (spec/cli.md 22, 5)
        known = {
            "KAMAL_RECORDED_AT": server_state.TIME.sub("TIME", variables["KAMAL_RECORDED_AT"]),
            "KAMAL_RUNTIME": re.sub(r"^\d+$", "SECONDS", variables.get("KAMAL_RUNTIME", "")),
        }
        told = {**variables, **known}
        hooks.append((name, {key: told[key] for key in told if not allowed(step, name, key)}))
    return hooks


def allowed(step: str, hook: str, variable: str) -> bool:
    return variable == "KAMAL_SUBCOMMAND" or (step, hook, variable) in ALLOWED_IN_HOOKS


@LONG
@pytest.mark.parametrize("step", SECURE)
def test_hooks_of_other_commands_are_told_the_same(lives: Lives, step: str) -> None:
    """spec/cli.md 9.3, but for the subcommand."""
    ruby_first, ours_first = (
        comparable(lives[order][step], step) for order in ("secure, Ruby first", "secure, ours first")
    )
    assert ours_first == ruby_first
    assert ours_first, "at least pre-connect"


@pytest.mark.parametrize(
    ("step", "hook", "variable"),
    [pytest.param(*place, marks=[] if place[0] in REHEARSAL else [LONG]) for place in ALLOWED_IN_HOOKS],
)
def test_what_is_allowed_to_differ_does(lives: Lives, step: str, hook: str, variable: str) -> None:
    """An exception that is no longer needed is taken off the list."""
    orders = ("Ruby first", "ours first") if step in REHEARSAL else ("secure, Ruby first", "secure, ours first")
    by_tool = {lives[order][step].tool: dict(lives[order][step].hooks)[hook].get(variable) for order in orders}
    assert by_tool["ours"]
    assert by_tool["ours"] != by_tool["ruby"]


@pytest.mark.parametrize("order", ["Ruby first", pytest.param("ours first", marks=LONG)])
@pytest.mark.parametrize("command", READINGS)
def test_each_tool_reads_what_the_other_left(lives: Lives, order: str, command: str) -> None:
    """spec/cli.md 12: what is shown of the servers is the same, whoever deployed and whoever looks."""
    shown = lives[order][READ_AFTER].readings[command]
    assert shown["ours"] == shown["ruby"]
    assert bool(shown["ours"]) == (command != "lock status"), "-q says nothing of a lock that is not there"


@LONG
@pytest.mark.parametrize("step", SECURE)
def test_without_destination_and_with_certificates(lives: Lives, step: str) -> None:
    """spec/cli.md 23: the bare label, the proxy's own settings, certificates, a proxied accessory, a failed deploy."""
    ruby_first, ours_first = lives["secure, Ruby first"][step], lives["secure, ours first"][step]
    assert list(differences(ruby_first.servers, ours_first.servers)) == []
    assert ours_first.published == ruby_first.published
    assert ours_first.served == ruby_first.served == SECURE[step]


@LONG
def test_certificates_are_where_the_proxy_looks(lives: Lives) -> None:
    """spec/cli.md 14.11: what the comparison would not notice when both were wrong."""
    stage = lives["secure, ours first"]["setup 1"]
    listed = stage.servers[0]["proxy"]["list"]
    assert [row[-1] for row in listed if SITE in row[1]] == ["yes"]
    assert {row[0] for row in listed[1:]} == {"hello-web", "hello-admin"}


@LONG
@pytest.mark.parametrize("order", ["secure, Ruby first", "secure, ours first"])
def test_a_hook_is_told_when_it_runs(lives: Lives, order: str) -> None:
    """spec/cli.md 9.3: the time of the hook, not of the plan that it belongs to."""
    for step in ("setup 1", "deploy 2"):
        times = {name: variables["KAMAL_RECORDED_AT"] for name, variables in lives[order][step].hooks}
        assert times["pre-app-boot"] < times["post-app-boot"]


@pytest.mark.parametrize(("holder", "other"), [("ruby", "ours"), pytest.param("ours", "ruby", marks=LONG)])
def test_a_lock_is_seen_and_released_by_the_other_tool(
    sandbox: Sandbox, tmp_path: Path, holder: Tool, other: Tool
) -> None:
    """spec/cli.md 8: the same directory, the same text, the same answers."""
    hosts = begin_anew(sandbox)
    team = rehearsing(tmp_path / "team", sandbox)
    version = team.application.git("rev-parse", "HEAD")
    message = 'hands off: "täglich" $HOME\nmore'
    team.run(holder, "lock", "acquire", "-m", message)
    details = team.run(other, "lock", "status", "-q").stdout.strip()
    assert details == team.run(holder, "lock", "status", "-q").stdout.strip()
    without_time = server_state.TIME.sub("TIME", details)
    assert without_time == f"Locked by: Ada at TIME\nVersion: {version}\nMessage: {message}"
    widths = [len(line) for line in hosts[0].read("/root/.kamal/lock-hello-staging/details").split("\n")]
    assert widths[0] == 60, "as both write it"

    refused = team.run(other, "prune", "all", expect=1).text
    assert "Deploy lock already in place!" in refused
    assert "hands off" in refused
    assert "Released the deploy lock" in team.run(other, "lock", "release").stdout
    assert "There is no deploy lock" in team.run(holder, "lock", "status").stdout
    team.run(holder, "prune", "all")
