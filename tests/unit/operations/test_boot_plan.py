"""The steps that put a version into service, host by host (spec/cli.md 13.5)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pykamal.config.models import Boot, Config, Env, Proxy, Ssl
from pykamal.core.sensitive import REDACTED
from pykamal.operations.app.boot_plan import boot_phases, stale_tasks
from pykamal.operations.deploy import release_plan
from pykamal.operations.execution.plan import LOCAL, Phase
from pykamal.operations.execution.printing import as_text
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.secrets.adapters.lent_values import Lease
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit


def nothing_on(*hosts: str) -> dict[str, HostFacts]:
    return {host: HostFacts(host, ()) for host in hosts}


def running(host: str, *versions: str, role_name: str = "web") -> dict[str, HostFacts]:
    """Versions that run on a host, oldest first."""
    containers = tuple(
        Container(f"app-{role_name}-{version}", "running", f"app:{version}", "app", role_name)
        for version in reversed(versions)
    )
    return {host: HostFacts(host, containers)}


def steps(phases: list[Phase]) -> list[str]:
    return [step.name for phase in phases for task in phase.tasks for step in task.script]


def booted(configuration: Config, known: dict[str, HostFacts], **more: Any) -> list[Phase]:
    return boot_phases(context(configuration, version="2", **more), known, "2")


def test_a_first_boot_has_nothing_to_stop() -> None:
    """13.5.1: steps 4 to 8, and no step 10 without an old version."""
    assert steps(booted(config(role("web", "h")), nothing_on("h"))) == [
        "audit",
        "make environment directory",
        "write environment",
        "start web",
        "wait for port",
        "switch traffic to web",
    ]


def test_the_old_version_is_stopped_after_the_switch() -> None:
    """13.5.1, step 10."""
    assert steps(booted(config(role("web", "h")), running("h", "1")))[-2:] == ["switch traffic to web", "stop old web"]


def test_a_version_that_already_runs_is_renamed_and_its_old_container_stopped() -> None:
    """13.5.1, step 1: the container makes room for one of the same name."""
    phases = booted(config(role("web", "h")), running("h", "2"))
    assert steps(phases)[:2] == ["audit", "rename container"]
    (log,) = [step.log for phase in phases for task in phase.tasks for step in task.script if step.log is not None]
    assert re.fullmatch(r"Renaming container 2 to 2_replaced_[0-9a-f]{16} as already deployed on h", log)
    (stop,) = [step for phase in phases for task in phase.tasks for step in task.script if step.name == "stop old web"]
    assert "app-web-2_replaced_" in stop.command.display_text()


def test_certificates_are_announced() -> None:
    """14.11: a line for each role and host."""
    ssl = Ssl(certificate_pem="CERTIFICATE", private_key_pem="KEY")
    shop = config(replace(role("web", "h"), proxy=Proxy(ssl=ssl)))
    phases = booted(shop, nothing_on("h"), secrets={"CERTIFICATE": "c", "KEY": "k"})
    logs = [step.log for phase in phases for task in phase.tasks for step in task.script if step.log]
    assert logs == ["Writing SSL certificates for web on h"]


def test_roles_without_proxy_wait_for_the_first_healthy_primary() -> None:
    """13.5.1: the barrier."""
    shop = config(role("web", "h"), role("jobs", "i"))
    tasks = [task for phase in booted(shop, nothing_on("h", "i")) for task in phase.tasks]
    (web,) = [task for task in tasks if task.role == "web"]
    (jobs,) = [task for task in tasks if task.role == "jobs"]
    assert web.opens is not None
    assert web.opens == jobs.waits_for
    assert jobs.opens is None
    assert [step.name for step in jobs.script][-1] == "wait for jobs"


def test_roles_in_parallel_still_stop_their_old_container_last() -> None:
    """13.5.1: `boot.parallel_roles` sets roles beside each other, not the steps of one role."""
    shop = config(role("web", "h"), role("jobs", "h"), boot=Boot(parallel_roles=True))
    (boot,) = [phase for phase in booted(shop, running("h", "1")) if phase.name == "boot"]
    assert [[task.title for task in lane] for lane in boot.lanes()] == [
        ["boot web", "stop old web"],
        ["boot jobs"],
    ]


def test_a_filtered_role_leads_itself() -> None:
    """13.5.1: `-r jobs` boots without waiting."""
    shop = config(role("web", "h"), role("jobs", "i"))
    phases = boot_phases(context(shop, version="2", roles="jobs"), nothing_on("h", "i"), "2")
    assert [task.waits_for for phase in phases for task in phase.tasks] == [None]


def test_boot_groups_follow_the_limit_and_wait() -> None:
    """spec/config.md 12: groups of `limit` hosts, each followed by `wait`."""
    shop = config(role("web", "a", "b", "c"), boot=Boot(limit="40%", wait=2))
    phases = [phase for phase in booted(shop, nothing_on("a", "b", "c")) if phase.name.startswith("boot")]
    assert [phase.hosts for phase in phases] == [("a",), ("b",), ("c",)]
    assert [phase.pause for phase in phases] == [2, 2, 2]


def test_a_failed_boot_is_explained_and_the_new_container_stopped() -> None:
    """13.5.1: the new container is stopped and kept for inspection."""
    (task,) = [task for phase in booted(config(role("web", "h")), nothing_on("h")) for task in phase.tasks]
    assert task.undo is not None
    assert "docker stop" in task.undo.steps[0].command.display_text()
    assert task.evidence is not None
    assert "docker logs" in task.evidence.steps[0].command.display_text()


def test_secrets_are_in_the_plan_but_never_in_its_text() -> None:
    """design.md, rule 1: what is shown of a command hides its secrets."""
    shop = config(role("web", "h", env=Env(secrets=("DATABASE_URL",))))
    secret = "postgres://user:pa$$@db"
    plan = release_plan(context(shop, version="2", secrets={"DATABASE_URL": secret}), nothing_on("h"))
    (write,) = [s for phase in plan for t in phase.tasks for s in t.script if s.name == "write environment"]
    assert secret not in as_text(plan)
    assert REDACTED in write.command.display_text()
    assert f"DATABASE_URL={secret}" in write.command.shell_text()


def test_the_audit_log_names_leases_where_secrets_go() -> None:
    """docs/secrets.md, leases: the log of each host that gets secrets names what a manager lent for the run."""
    lease = Lease("Vault at https://vault", "database/creds/shop", "database/creds/shop/7Qx", 3600)
    told = "Leased database/creds/shop of Vault at https://vault for 3600 seconds: lease database/creds/shop/7Qx"
    for env, expected in ((Env(secrets=("DATABASE_URL",)), 1), (Env(clear={"MODE": "fast"}), 0)):
        run = context(config(role("web", "h", env=env)), version="2", secrets={"DATABASE_URL": "postgres://"})
        run.secrets.leases = (lease,)  # type: ignore[misc]
        plan = release_plan(run, nothing_on("h"))
        lines = [step.command.shell_text() for phase in plan for task in phase.tasks for step in task.script]
        assert sum("[web]" in line and told in line for line in lines) == expected


def test_hooks_stand_around_each_group(tmp_path: Path) -> None:
    """9.2: pre-app-boot and post-app-boot get the hosts of the group; 13.5, step 3: the wait comes behind both."""
    for name in ("pre-app-boot", "post-app-boot"):
        (tmp_path / name).touch()
    shop = config(role("web", "a", "b"), boot=Boot(limit=1, wait=2), hooks_path=str(tmp_path))
    phases = [phase for phase in booted(shop, nothing_on("a", "b")) if phase.tasks]
    assert [phase.name for phase in phases] == [
        *("pre-app-boot hook", "boot 1 of 2", "post-app-boot hook", "check 1 of 2"),
        *("pre-app-boot hook", "boot 2 of 2", "post-app-boot hook"),
    ]
    assert [phase.pause for phase in phases] == [0, 0, 2, 0, 0, 0, 2]
    assert [phase.hosts for phase in phases] == [(LOCAL,), ("a",), (LOCAL,), ("a",), (LOCAL,), ("b",), (LOCAL,)]
    assert phases[0].tasks[0].environment["KAMAL_HOSTS"] == "a"
    assert phases[4].tasks[0].environment["KAMAL_HOSTS"] == "b"


def test_skip_hooks_skips_them(tmp_path: Path) -> None:
    """9.5: `-H`, in groups too."""
    (tmp_path / "pre-app-boot").touch()
    shop = config(role("web", "a"), hooks_path=str(tmp_path))
    assert all(LOCAL not in phase.hosts for phase in booted(shop, nothing_on("a"), skip_hooks=True))


@pytest.mark.parametrize(
    ("setting", "verbosity", "shown", "quiet"),
    [
        (None, "normal", False, False),
        ("verbose", "normal", True, False),
        ({"pre-app-boot": "quiet"}, "normal", False, True),
        ({"pre-deploy": "verbose"}, "normal", False, False),
        ("verbose", "quiet", False, False),
    ],
)
def test_hooks_are_as_loud_as_they_are_told_to_be(
    tmp_path: Path, setting: Any, verbosity: str, shown: bool, quiet: bool
) -> None:
    """9.4: `hooks_output`, for all hooks or one of them; `-v` and `-q` win."""
    (tmp_path / "pre-app-boot").touch()
    shop = config(role("web", "a"), hooks_path=str(tmp_path), hooks_output=setting)
    (hook,) = [t for phase in booted(shop, nothing_on("a"), verbosity=verbosity) for t in phase.tasks if t.hook]
    assert (hook.shown, hook.script.steps[0].command.quiet) == (shown, quiet)


def test_a_paused_container_is_stopped_too() -> None:
    """A paused container holds ports and memory, and would work again once unpaused; it counts as old or stale."""
    (host, *_) = paused = {"h": replace(running("h", "0")["h"], containers=(_paused("0"),))}
    assert steps(booted(config(role("web", host)), paused))[-1] == "stop old web"
    beside = {"h": replace(paused["h"], containers=(*running("h", "1")["h"].containers, _paused("0")))}
    (stale,) = stale_tasks(context(config(role("web", "h")), version="2"), beside)
    assert [step.name for step in stale.script] == ["stop stale 0"]


def _paused(version: str) -> Container:
    return replace(running("h", version)["h"].containers[0], state="paused")


def test_stale_containers_are_all_running_ones_but_the_current() -> None:
    """14.2: renamed containers count."""
    known = running("h", "0", "1_replaced_ab", "1")
    tasks = stale_tasks(context(config(role("web", "h")), version="2"), known)
    assert [task.script.steps[0].name for task in tasks] == ["stop stale 1_replaced_ab", "stop stale 0"]


def test_one_host_is_released_in_one_exchange() -> None:
    """design.md, rule 2: a lone host has nobody to wait for."""
    plan = release_plan(context(config(role("web", "h")), version="2"), running("h", "1")).coalesced()
    assert len([phase for phase in plan if phase.tasks]) == 1


def test_the_latest_tag_moves_only_after_all_groups() -> None:
    """13.5, step 4."""
    shop = config(role("web", "a", "b"))
    known = {**running("a", "1"), **running("b", "1")}
    names = [phase.name for phase in release_plan(context(shop, version="2"), known)]
    assert names[-1] == "tag and prune"
    assert names.index("boot") < names.index("tag and prune")


def test_destinations_have_names_of_their_own() -> None:
    """spec/config.md 18.2."""
    web = replace(role("web", "h"), destination="staging")
    (task,) = [t for phase in booted(config(web, destination="staging"), nothing_on("h")) for t in phase.tasks]
    (run,) = [step for step in task.script if step.name == "start web"]
    assert "--name app-web-staging-2" in run.command.display_text()
    assert ".kamal/apps/app-staging/env/roles/web.env" in run.command.display_text()
