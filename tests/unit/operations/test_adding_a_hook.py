"""A hook is one row and the flow that fires it (CONTRIBUTING.md, "Where things go"; spec/cli.md 9)."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from scripts.docs.cli import with_reference

from pykamal.cli.dispatch import dispatch
from pykamal.commands import hooks as rows
from pykamal.commands.hooks import COMMON_VARIABLES, HOOKS, Hook
from pykamal.core.errors import HookFailed
from pykamal.events import Bus
from pykamal.operations.context import Context
from pykamal.operations.execution import hooks
from pykamal.operations.execution.executor import ActingExecutor
from pykamal.operations.execution.printing import as_text
from pykamal.operations.execution.recording import RecordingExecutor
from pykamal.transport.local import LocalSession
from tests.unit.memory_fleet import MemoryFleet
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

SOURCE = Path(__file__).parents[3] / "src/pykamal"
DOCUMENT = Path(__file__).parents[3] / "docs/cli.md"
INVENTED = Hook(
    "mid-deploy",
    "Runs in the middle of a deploy.",
    'echo "$KAMAL_MOOD"\n',
    {"KAMAL_MOOD": "how it goes"},
    gets_secrets=True,
)


async def flow(run: Context) -> None:
    await hooks.fire(run, INVENTED, {"KAMAL_MOOD": "well"})


def made(tmp_path: Path, script: str) -> Context:
    """A run whose project has a file for the invented hook."""
    (tmp_path / "mid-deploy").write_text(f"#!/bin/sh\n{script}")
    (tmp_path / "mid-deploy").chmod(0o755)
    bus = Bus()
    run = context(config(role("web", "10.0.0.1"), hooks_path=str(tmp_path)), secrets={"TOKEN": "hunter2"})
    return replace(run, bus=bus, fleet=MemoryFleet({}), local=LocalSession(bus))  # type: ignore[arg-type]


def missing_places(hook: Hook) -> list[str]:
    """The places that do not have a hook: the table, the flow that fires it, the documentation."""
    constant = hook.name.upper().replace("-", "_")
    flows = [path.read_text() for path in (SOURCE / "operations").rglob("*.py")]
    places = {
        "table": hook in HOOKS,
        "flow": any(re.search(rf"hooks\.(fire|phase)\(.*\b{constant}\b", text) for text in flows),
        "documentation": f"\n| `{hook.name}` | {hook.about} |" in DOCUMENT.read_text(),
    }
    return [place for place, has_it in places.items() if not has_it]


@pytest.mark.parametrize("name", [name for name, value in vars(rows).items() if isinstance(value, Hook)])
def test_a_hook_is_in_every_place(name: str) -> None:
    """Each row is in the table under its own name, is fired by a flow, and is documented."""
    hook = getattr(rows, name)
    assert hook.name.upper().replace("-", "_") == name
    assert missing_places(hook) == []


def test_a_hook_that_was_forgotten_is_found() -> None:
    """The check of the test above sees each place that lacks one."""
    assert missing_places(INVENTED) == ["table", "flow", "documentation"]


@pytest.mark.process
def test_documentation_and_sample_follow_from_the_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/cli.md, and the script that `kamal init` writes, which runs as it is."""
    monkeypatch.setattr(rows, "HOOKS", (*HOOKS, INVENTED))
    monkeypatch.chdir(tmp_path)
    row = "| `mid-deploy` | Runs in the middle of a deploy. | `KAMAL_MOOD`: how it goes; the secrets |"
    assert row in with_reference(DOCUMENT.read_text())
    assert dispatch(["init"]) == 0
    sample = tmp_path / ".kamal/hooks/mid-deploy.sample"
    text = sample.read_text()
    assert "# Runs in the middle of a deploy.\n" in text
    assert "# KAMAL_MOOD              how it goes\n" in text
    assert all(f"# {name} " in text for name in COMMON_VARIABLES)
    assert "# and every entry of the secrets files\n" in text
    ended = subprocess.run([sample], env={**os.environ, "KAMAL_MOOD": "well"}, capture_output=True, check=True)
    assert ended.stdout == b"well\n"


@pytest.mark.process
def test_it_runs_with_its_variables(tmp_path: Path) -> None:
    """It gets the variables of every hook, its own, and the secrets."""
    asyncio.run(flow(made(tmp_path, f"env > {tmp_path}/seen\n")))
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines() if "=" in line)
    absent = {"KAMAL_DESTINATION", "KAMAL_ROLES", "KAMAL_SUBCOMMAND"}
    assert {name for name in seen if name.startswith("KAMAL_")} == {"KAMAL_MOOD", *COMMON_VARIABLES} - absent
    assert (seen["KAMAL_MOOD"], seen["TOKEN"]) == ("well", "hunter2")


def test_a_plan_lists_it(tmp_path: Path) -> None:
    """As a step of this machine, without running it and without the secrets."""
    executor = RecordingExecutor()
    asyncio.run(flow(replace(made(tmp_path, f"touch {tmp_path}/ran\n"), executor=executor)))
    text = as_text(executor.plan("deploy"))
    assert "hook mid-deploy" in text
    assert "hunter2" not in text
    assert not (tmp_path / "ran").exists()


@pytest.mark.process
def test_its_failure_says_what_to_do(tmp_path: Path) -> None:
    """9.4: the hook's name and exit status, and how to go on."""
    with pytest.raises(HookFailed, match="Hook `mid-deploy` failed") as failure:
        asyncio.run(flow(made(tmp_path, "exit 3\n")))
    assert failure.value.hint == f"fix {tmp_path}/mid-deploy, or skip hooks with --skip-hooks"


@pytest.mark.parametrize("values", [None, {}, {"KAMAL_MOOD": "well", "KAMAL_AIR": "thin"}])
def test_a_flow_gives_the_variables_of_the_row(tmp_path: Path, values: dict[str, str] | None) -> None:
    """A value that is forgotten, or that no row and so no documentation has, is a bug that shows at once."""
    with pytest.raises(AssertionError, match="mid-deploy gets the variables of its row"):
        hooks.phase(made(tmp_path, ""), INVENTED, values)


def test_every_variable_is_documented(tmp_path: Path) -> None:
    """`COMMON_VARIABLES` are what hooks get in a run that has all of them; the executor adds the time."""
    shop = config(role("web", "10.0.0.1"), destination="staging")
    run = replace(context(shop, roles="web"), operation="app boot", executor=ActingExecutor())
    assert {*hooks.environment(run, rows.PRE_BUILD, {}), "KAMAL_RECORDED_AT"} == set(COMMON_VARIABLES)
