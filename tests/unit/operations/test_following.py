"""Following logs in a terminal: the host and role, the number of lines, the first messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pykamal.commands.logs import LogSelection
from pykamal.config.models import Accessory
from pykamal.core.errors import KamalError
from pykamal.events import Event, Log
from pykamal.operations.accessory import logs as accessory_logs
from pykamal.operations.app import logs as app_logs
from pykamal.operations.context import Context
from pykamal.operations.proxy import lifecycle as proxy
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

DB = Accessory("db", "app-db", "mysql:8.0", hosts=("10.0.0.8", "10.0.0.9"))
CONFIG = replace(config(role("web", "10.0.0.1", "10.0.0.2"), role("jobs", "10.0.0.2")), accessories=(DB,))
TRAP = "trap 'exit 130' INT ; "


def following(**settings: Any) -> tuple[Context, list[str]]:
    """A run with these options, and what it says."""
    run = context(CONFIG, **settings)
    said: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Log):
            said.append(event.text)

    run.bus.subscribe(listen)
    return run, said


@pytest.mark.parametrize(
    ("settings", "host", "name", "said"),
    [
        ({}, "10.0.0.1", "web", ["Only web on 10.0.0.1 is followed, not on 10.0.0.2 (choose with --hosts)"]),
        ({"hosts": "10.0.0.2"}, "10.0.0.2", "web", []),
        ({"roles": "jobs"}, "10.0.0.2", "jobs", []),
        ({"roles": "jobs,web"}, "10.0.0.1", "web", ["Only web on 10.0.0.1"]),
    ],
)
def test_the_role_that_was_asked_for(settings: dict[str, str], host: str, name: str, said: list[str]) -> None:
    """spec/cli.md 14.5: the primary host only, the primary role of those selected; the first lines say so."""
    run, told = following(**settings)
    where, line = app_logs.following(run)
    assert where == host
    assert line.display_text().startswith(f"{TRAP}sh -c 'docker ps --latest --quiet --filter label=service=app")
    assert f"label=role={name} " in line.display_text()
    assert line.display_text().endswith(" | head -1 | xargs docker logs --timestamps --tail 10 --follow 2>&1")
    assert told[0] == f"Following logs on {host}..."
    assert all(one.startswith(start) for one, start in zip(told[1:], said, strict=True))


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (LogSelection(lines=3), "--timestamps --tail 3 --follow 2>&1"),
        (LogSelection(since="5m"), "--timestamps --since 5m --follow 2>&1"),
        (LogSelection(since="5m", lines=3, timestamps=False), "--since 5m --tail 3 --follow 2>&1"),
        (LogSelection(grep="GET /", grep_options="-i"), '--timestamps{} --follow 2>&1 | grep "GET /" -i'),
    ],
)
def test_since_and_lines_count(selection: LogSelection, words: str) -> None:
    """spec/cli.md 14.5, 14.8 and 22, 12: Ruby Kamal ignores some of them when following."""
    run, _ = following()
    _, of_app = app_logs.following(run, selection)
    assert of_app.display_text().endswith(f" | xargs docker logs {words.format('')}")
    _, of_accessory = accessory_logs.following(run, selection, name="db")
    assert of_accessory.display_text() == f"{TRAP}docker logs app-db {words.format(' --tail 10')}"
    _, of_proxy = proxy.following(run, replace(selection, grep_options=None))
    assert of_proxy.display_text() == f"{TRAP}docker logs kamal-proxy {words.format(' --tail 10').removesuffix(' -i')}"


def test_the_accessory_where_it_is_selected() -> None:
    """spec/cli.md 14.8: its first host, and `-h` is heard; a selection without any of its hosts is no guess."""
    run, _ = following(hosts="10.0.0.9")
    assert accessory_logs.following(run, name="db")[0] == "10.0.0.9"
    assert accessory_logs.following(following()[0], name="db")[0] == "10.0.0.8"
    with pytest.raises(KamalError, match="No host of accessory db is selected") as caught:
        accessory_logs.following(following(hosts="10.0.0.1")[0], name="db")
    assert "10.0.0.8, 10.0.0.9" in (caught.value.hint or "")
