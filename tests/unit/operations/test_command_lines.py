"""The lines each flow sends to a host, against tests/data/command_lines.txt, whose headings name spec/cli.md.

The steps are recorded. After a change that is meant,
`UPDATE_COMMAND_LINES=1 pytest tests/unit/operations/test_command_lines.py` writes the file anew: read the difference.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pykamal.config.models import (
    Accessory,
    AssetPath,
    Config,
    Directory,
    Env,
    File,
    Proxy,
    Registry,
    Ssl,
)
from pykamal.operations import deploy, rollback, upgrade
from pykamal.operations.accessory import lifecycle as accessory
from pykamal.operations.accessory import parts as accessory_parts
from pykamal.operations.app import lifecycle as app
from pykamal.operations.app import removal as app_removal
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Plan
from pykamal.operations.execution.recording import RecordingExecutor
from pykamal.operations.hosts import prune
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.operations.proxy import boot_config as proxy_boot_config
from pykamal.operations.proxy import lifecycle as proxy
from tests.unit.memory_fleet import MemoryFleet
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

SNAPSHOT = Path(__file__).parents[2] / "data" / "command_lines.txt"
HOST = "10.0.0.1"
RANDOM = re.compile(r"(_replaced_|10\.0\.0\.1-)([0-9a-f]{16}|[0-9a-f]{12})\b")

WEB = replace(role("web", HOST), env=Env({"MODE": "fast"}, ("TOKEN",)), asset_path=AssetPath("/public"))
SECURE = replace(WEB, proxy=Proxy(hosts=("a.example",), ssl=Ssl("CERTIFICATE", "KEY")), asset_path=None)
WORKER = replace(role("worker", HOST), cmd="work", stop_timeout=30)
DB = Accessory(
    "db",
    "app-db",
    "db:1",
    (HOST,),
    registry=Registry("ghcr.io"),
    env=Env({}, ("TOKEN",)),
    files=(File("settings", "/etc/settings", "0644", "1000"),),
    directories=(Directory("data", "/data", "0700", "1000:1000"), Directory("/srv/db", "/srv")),
    proxy=Proxy(app_port=8080),
)
ONE = config(WEB)
TWO_ROLES = config(WEB, WORKER)
WITH_ACCESSORY = config(WEB, accessories=(DB,))
PROXY = Container("kamal-proxy", "running", "basecamp/kamal-proxy:v0.9.2")
EMPTY = HostFacts(HOST, ())
DEPLOYED = HostFacts(
    HOST,
    (
        Container("app-web-v1", "running", "acme/app:v1", "app", "web"),
        Container("app-worker-v1", "running", "acme/app:v1", "app", "worker"),
        Container("app-web-v0", "exited", "acme/app:v0", "app", "web"),
        PROXY,
    ),
)
STOPPED = HostFacts(
    HOST,
    tuple(Container(f"app-{name}-v2", "exited", "acme/app:v2", "app", name) for name in ("web", "worker")),
)
STALE = HostFacts(
    HOST,
    (*DEPLOYED.containers, Container("app-web-v00", "running", "acme/app:v00", "app", "web")),
    chosen={"web": "v1"},
)

Flow = Callable[[Context], Awaitable[None]]


def released(run: Context, facts: HostFacts, *, whole: bool) -> Plan:
    return deploy.release_plan(run, {HOST: facts}, proxy=whole)


FLOWS: dict[str, tuple[Config, HostFacts, Flow | Callable[[Context], Plan]]] = {
    "13.2 deploy, nothing there yet": (ONE, EMPTY, lambda run: released(run, EMPTY, whole=True)),
    "13.2 deploy, two roles, an old and a stale version": (
        TWO_ROLES,
        STALE,
        lambda run: released(run, STALE, whole=True),
    ),
    "13.3 redeploy of what runs": (
        ONE,
        DEPLOYED,
        lambda run: released(replace(run, version_override="v1"), DEPLOYED, whole=False),
    ),
    "13.4 rollback": (ONE, DEPLOYED, lambda run: rollback.rollback_plan(run, {HOST: DEPLOYED}, "v0")),
    "13.5 app boot with error pages and a certificate": (
        config(SECURE, error_pages_path="pages"),
        DEPLOYED,
        app.boot,
    ),
    "13.7 upgrade": (WITH_ACCESSORY, DEPLOYED, upgrade.upgrade),
    "14.3 app start": (TWO_ROLES, STOPPED, app.start),
    "14.3 app stop": (TWO_ROLES, DEPLOYED, app.stop),
    "14.3 app live": (TWO_ROLES, DEPLOYED, app.live),
    "14.3 app maintenance": (TWO_ROLES, DEPLOYED, lambda run: app.maintenance(run, message="Back soon")),
    "14.2 app stale_containers --stop": (TWO_ROLES, STALE, lambda run: app.stale_containers(run, stop=True)),
    "14.6 app remove": (ONE, DEPLOYED, app_removal.remove),
    "14.6 app remove_container": (ONE, DEPLOYED, lambda run: app_removal.remove_container(run, version="v0")),
    "14.7 proxy boot": (ONE, EMPTY, proxy.boot),
    "14.7 proxy boot, it runs": (ONE, DEPLOYED, proxy.boot),
    "14.7 proxy reboot": (ONE, DEPLOYED, proxy.reboot),
    "14.7 proxy start": (ONE, DEPLOYED, proxy.start),
    "14.7 proxy stop": (ONE, DEPLOYED, proxy.stop),
    "14.7 proxy restart": (ONE, DEPLOYED, proxy.restart),
    "14.7 proxy remove": (ONE, DEPLOYED, proxy.remove),
    "14.7 proxy upgrade": (ONE, DEPLOYED, upgrade.upgrade_proxy),
    "14.7 proxy boot_config reset": (ONE, DEPLOYED, proxy_boot_config.reset),
    "14.8 accessory boot": (WITH_ACCESSORY, EMPTY, lambda run: accessory.boot(run, name="db")),
    "14.8 accessory start": (WITH_ACCESSORY, EMPTY, lambda run: accessory.start(run, name="db")),
    "14.8 accessory stop": (WITH_ACCESSORY, EMPTY, lambda run: accessory.stop(run, name="db")),
    "14.8 accessory restart": (WITH_ACCESSORY, EMPTY, lambda run: accessory.restart(run, name="db")),
    "14.8 accessory reboot": (WITH_ACCESSORY, EMPTY, lambda run: accessory.reboot(run, name="db")),
    "14.8 accessory remove": (WITH_ACCESSORY, EMPTY, lambda run: accessory.remove(run, name="db")),
    "14.8 accessory upload": (WITH_ACCESSORY, EMPTY, lambda run: accessory_parts.upload(run, name="db")),
    "14.8 accessory pull_image": (WITH_ACCESSORY, EMPTY, lambda run: accessory_parts.pull_image(run, name="db")),
    "14.10 prune all": (ONE, DEPLOYED, prune.prune_all),
    "14.10 prune containers": (ONE, DEPLOYED, lambda run: prune.prune_containers(run, retain=2)),
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The lines of every flow, by heading."""
    folder = tmp_path_factory.mktemp("lines")
    (folder / "settings").write_text("port = 1\n")
    (folder / "pages").mkdir()
    (folder / "pages" / "503.html").write_text("<h1>Later</h1>\n")
    (folder / "pages" / "503.html").chmod(0o644)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = {heading: "\n".join(_sent(*FLOWS[heading])) for heading in FLOWS}
        if os.environ.get("UPDATE_COMMAND_LINES"):
            SNAPSHOT.write_text("\n\n".join(f"== {heading}\n{text}" for heading, text in found.items()) + "\n")
        yield found


def _sent(configuration: Config, facts: HostFacts, flow: Callable[[Context], Any]) -> list[str]:
    recording = RecordingExecutor()
    secrets = {"TOKEN": "t0ken", "CERTIFICATE": "cert", "KEY": "key"}
    fleet = MemoryFleet({HOST: facts}, {f"current {role}": version for role, version in facts.chosen.items()})
    run = replace(context(configuration, version="v2", secrets=secrets), executor=recording, fleet=fleet)  # type: ignore[arg-type]
    outcome = flow(run)
    if isinstance(outcome, Plan):
        asyncio.run(run.execute(outcome))
    else:
        asyncio.run(outcome)
    tasks = [task for phase in recording.plan("test") for task in phase.tasks]
    return [line for task in tasks for line in _lines(step.command for step in task.script)]


def _lines(commands: Iterable[Any]) -> Iterator[str]:
    for command in commands:
        text = " ".join(RANDOM.sub(r"\1HEX", command.display_text()).split())
        yield f"{text}{'  (may fail)' if command.may_fail else ''}"


def expected() -> dict[str, str]:
    parts = SNAPSHOT.read_text().removeprefix("== ").removesuffix("\n").split("\n\n== ")
    return {heading: text for heading, _, text in (part.partition("\n") for part in parts)}


@pytest.mark.parametrize("heading", FLOWS)
def test_what_a_flow_sends(lines: dict[str, str], heading: str) -> None:
    """The section that the heading names: every line, in order; what may fail is marked."""
    assert lines[heading] == expected()[heading]


def test_the_snapshot_holds_nothing_else() -> None:
    """A flow that is gone leaves no lines behind."""
    assert list(expected()) == list(FLOWS)
