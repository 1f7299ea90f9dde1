"""The exit code of every command that is refused, finds nothing, or fails (docs/cli.md, exit codes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.e2e.application import Application

pytestmark = pytest.mark.e2e


@dataclass(frozen=True, slots=True)
class Row:
    """A command line, its exit code and a part of what it says; nobody answers its questions."""

    line: str
    code: int
    text: str = ""


@pytest.fixture
def with_everything(application: Application) -> Application:
    """Web servers on both hosts, a worker and an accessory on the first."""
    first, second = (host.address for host in application.hosts)
    application.configure(
        servers={
            "web": {"hosts": [first, second]},
            "worker": {"hosts": [first], "cmd": "python3 worker.py", "options": {"init": True}},
        },
        readiness_delay=0,
        accessories={
            "db": {
                "image": f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11",
                "host": first,
                "cmd": "python3 -c 'import time; print(1, flush=True); time.sleep(9999)'",
                "options": {"init": True},
            }
        },
    )
    application.commit("with everything")
    return application


def wrong(application: Application, rows: Sequence[Row]) -> list[str]:
    """Run the lines one after the other; those that end in another way or do not say why."""
    found = []
    for row in rows:
        outcome = application.kamal(*row.line.split(), expect=None)
        if outcome.exit_code != row.code or row.text not in outcome.text:
            found.append(f"{row.line}: {outcome.exit_code} instead of {row.code} ({row.text!r})\n{outcome.text[-800:]}")
    return found


NOTHING_DEPLOYED = (
    Row("audit", 1),  # before anything is noted
    # questions that nobody answers
    *(Row(line, 1, "Aborted") for line in ("remove", "upgrade", "accessory remove db", "accessory upgrade db")),
    *(Row(line, 1, "Aborted") for line in ("proxy reboot", "proxy upgrade")),
    # what is not there
    Row("app start", 1, "There is no container of version"),
    Row("app boot", 1),
    Row("app live", 1),
    Row("app maintenance", 1),
    Row("app exec date", 1),
    Row("app exec --reuse date", 1),
    Row("app remove_container abc", 1, "There is no container"),
    Row("app logs --container-id abc", 1, "There is no container abc"),
    Row("accessory start db", 1),
    Row("accessory logs db", 1),
    Row("accessory exec db --reuse date", 1),
    Row("accessory boot nosuch", 1, "No accessory by the name of 'nosuch'"),
    Row("proxy start", 1),
    Row("proxy restart", 1),
    Row("proxy logs", 1),
    Row("rollback abc", 1, "is not available as a container"),
    # selections and values with which nothing would be done
    Row("app maintenance -r worker", 1, "No selected role runs behind the proxy"),
    Row("proxy boot_config get -r nosuch", 1, "No --roles match"),
    Row("registry login -L -R", 2, "leave nothing to do"),
    Row("prune containers --retain 0", 1, "retain must be at least 1"),
    # what has nothing to do, and what looks
    *(Row(line, 0) for line in ("app stop", "accessory stop db", "proxy stop", "prune all", "rollback", "details")),
    Row("app logs", 0, "Nothing found"),
    Row("lock status", 0, "There is no deploy lock"),
    Row("lock release", 0, "There is no deploy lock"),
    Row("lock acquire -m mine", 0),
    Row("lock acquire -m mine", 1, "Deploy lock found"),
    Row("prune all", 1, "Deploy lock found"),
    Row("lock release", 0, "Released the deploy lock"),
    # what the command that was run says
    Row("server exec false", 1),
    Row("server exec true", 0),
)


def test_where_nothing_is_deployed(with_everything: Application) -> None:
    """Not done is not 0, whoever scripts it; what has nothing left to do is."""
    second = with_everything.hosts[1].address
    elsewhere = (
        Row(f"accessory boot db -h {second}", 1, "No host of accessory db is selected"),
        Row(f"accessory logs db -h {second}", 1, "No host of accessory db is selected"),
    )
    assert wrong(with_everything, (*NOTHING_DEPLOYED, *elsewhere)) == []
    assert with_everything.containers(with_everything.hosts[0], "--all") == []


def test_of_what_is_deployed(with_everything: Application) -> None:
    """Logs that cannot be read as asked, containers that are gone, and what was stopped."""
    with_everything.kamal("setup")
    rows = (
        Row("app logs --since nonsense", 1, "failed to parse value as time or duration"),
        Row("app logs --since nonsense --grep x", 1, "failed to parse value as time or duration"),
        Row("app logs --since 5m", 0),
        Row("app logs --lines x", 2),
        Row("app logs --grep [", 1, "check --grep"),
        Row("app logs --grep no-such-line", 0, "Nothing found"),
        Row("accessory logs db --since nonsense", 1, "failed to parse value as time or duration"),
        Row("accessory logs db --since nonsense --grep x", 1, "failed to parse value as time or duration"),
        Row("accessory logs db --grep [", 1, "check --grep"),
        Row("accessory logs db --lines x", 2),
        Row("proxy logs --since nonsense", 1, "failed to parse value as time or duration"),
        Row("proxy logs --grep [", 1, "check --grep"),
        Row("proxy remove", 1, "Not removing the proxy, as other apps are installed"),
        Row("app start --version nosuch", 1, "There is no container of version nosuch"),
        Row("app stop", 0),
    )
    assert wrong(with_everything, rows) == []
    worker = f"hello-worker-{with_everything.git('rev-parse', 'HEAD')}"
    with_everything.hosts[0].docker("rm", "--force", worker)
    assert wrong(with_everything, [Row("app start", 1, f"no container {worker}")]) == []


ENGINE_DOWN = (
    *("app details", "app containers", "app images", "app version", "app logs", "app start", "app stop", "app live"),
    *("app maintenance", "app exec date", "app exec --reuse date", "app stale_containers", "app boot", "app remove"),
    *("details", "proxy details", "proxy logs", "proxy boot", "proxy start", "proxy stop"),
    *("proxy reboot -y", "proxy remove --force", "prune all", "prune containers", "prune images", "rollback"),
    *("rollback abc", "accessory details db", "accessory logs db", "accessory start db"),
    *("accessory stop db", "accessory boot db", "accessory reboot db", "accessory remove db -y", "deploy -P"),
    *("upgrade -y", "remove -y"),
)


def test_with_an_engine_that_is_down(with_everything: Application) -> None:
    """Every command that needs it fails, also where its own steps may; those that do not need it work."""
    first, second = with_everything.hosts
    with_everything.kamal("server", "exec", "mkdir -p .kamal; echo '[x] noted' >> .kamal/hello-audit.log")
    first.stop_engine()
    rows = [*(Row(line, 1) for line in ENGINE_DOWN), *(Row(line, 0) for line in ("audit", "lock status"))]
    assert wrong(with_everything, rows) == []
    second.docker("run", "--detach", "--name", "kamal-proxy", "basecamp/kamal-proxy:v0.9.2")
    shown = with_everything.kamal("details", expect=1).stdout
    assert shown.count(f"Proxy Host: {second.address}") == 1, "the others answer all the same"
    assert f"App Host: {second.address}" in shown
