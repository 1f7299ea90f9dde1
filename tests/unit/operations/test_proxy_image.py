"""The plan of `kamal proxy build`, and the short outage of a reboot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.config.models import Extension, Proxy, ProxyRun
from pykamal.config.models.proxy_extension import ProxyEngine, ProxyExtension
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import LOCAL, Plan, Task
from pykamal.operations.proxy.boot_plan import reboot_phases
from pykamal.operations.proxy.proxy_image import Build, build_plan
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

HOSTS = ("10.0.0.1", "10.0.0.2")
OWN = "pykamal/kamal-proxy:v0.9.2"


def planning(settings: ProxyRun | None = None) -> Context:
    web = replace(role("web", *HOSTS), proxy=Proxy(run=settings))
    return context(config(web, extension=Extension(proxy=ProxyExtension(engine=ProxyEngine.PYKAMAL))))


def steps(plan: Plan, host: str) -> list[str]:
    return [step.name for phase in plan for task in phase.tasks if task.host == host for step in task.script]


def test_the_image_is_built_packed_and_sent(tmp_path: Path) -> None:
    """To the hosts that lack it; as a file that the step reads, so that no secret and no image is in a command line."""
    image = Build(str(tmp_path / "image.tar"), "r", "amd64")
    plan = build_plan(planning(), image, dict.fromkeys(HOSTS, OWN), HOSTS[1:])
    assert steps(plan, LOCAL) == ["build proxy image", "compress proxy image"]
    assert steps(plan, HOSTS[1]) == ["load proxy image", "audit"]
    assert steps(plan, HOSTS[0]) == []
    (load, _) = plan.phases[-1].tasks
    assert load.input == f"{image.path}.gz"


def test_what_is_built_is_not_built_again(tmp_path: Path) -> None:
    """The file's name has what it is made of."""
    image = Build(str(tmp_path / "image.tar"), "r", "amd64")
    for name in ("image.tar", "image.tar.gz"):
        (tmp_path / name).touch()
    plan = build_plan(planning(), image, dict.fromkeys(HOSTS, OWN), HOSTS).coalesced()
    assert [phase.name for phase in plan] == ["bring proxy image"]


def test_by_way_of_a_registry(tmp_path: Path) -> None:
    """Pushed from here after a login, pulled by all; nothing is compressed for a way that nobody takes."""
    name = f"ghcr.io/{OWN}"
    image = Build(str(tmp_path / "image.tar"), "r", "amd64")
    plan = build_plan(planning(ProxyRun(registry="ghcr.io")), image, dict.fromkeys(HOSTS, name), HOSTS)
    local = ["build proxy image", "load proxy image", "registry login", "push proxy image"]
    assert steps(plan, LOCAL) == local
    for host in HOSTS:
        assert steps(plan, host) == ["registry login", "audit", "pull proxy image"]


def reboot(host: str) -> tuple[Task, ...]:
    return tuple(task for phase in reboot_phases(planning(), [host]) for task in phase.tasks)


def test_nothing_is_made_while_no_proxy_runs() -> None:
    """Pulling, making, removing: all but stop and start is before or after the switch."""
    names = [step.name for task in reboot(HOSTS[0]) for step in task.script]
    assert names.index("get proxy image") < names.index("make new proxy") < names.index("switch proxies")
    assert names.index("switch proxies") + 1 == names.index("wait for new proxy") < names.index("remove old proxy")
    (line,) = (s.command.display_text() for task in reboot(HOSTS[0]) for s in task.script if s.name == "switch proxies")
    assert [word for word in ("stop", "start", "run", "create", "rm") if f" {word} " in line] == ["stop", "start"]


def test_a_reboot_that_fails_is_taken_back() -> None:
    """A failure is undone once there is a new container; before that there is nothing to undo."""
    prepare, switch = reboot(HOSTS[0])
    assert prepare.undo is None
    assert switch.undo is not None
    assert "kamal-proxy-replaced" in switch.undo.steps[0].command.shell_text()
