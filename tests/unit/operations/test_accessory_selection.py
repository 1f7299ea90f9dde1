"""Accessories that a command is about: selected hosts, and destinations that share one."""

from __future__ import annotations

import pytest

from pykamal.commands import accessory as commands
from pykamal.config.models import Accessory, Config
from pykamal.core.errors import KamalError
from pykamal.operations.accessory.lifecycle import named, single
from pykamal.operations.accessory.sharing import users_on
from pykamal.operations.hosts.facts import Container, HostFacts
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

WEB, DB_HOST = "10.0.0.1", "10.0.0.2"


def configured(service: str = "app-db", destination: str | None = None) -> Config:
    db = Accessory("db", service, "db:1", (DB_HOST,))
    return config(role("web", WEB), accessories=(db,), destination=destination)


def test_an_accessory_that_is_on_no_selected_host() -> None:
    """A command that names it would do nothing, which is a failure; `all` takes what is selected."""
    elsewhere = context(configured(), hosts=WEB)
    with pytest.raises(KamalError, match="No host of accessory db is selected") as caught:
        single(elsewhere, "db")
    assert DB_HOST in (caught.value.hint or "")
    assert [each.name for each in named(elsewhere, "all")] == ["db"]
    assert single(context(configured(), hosts=DB_HOST), "db").name == "db"


def app_container(destination: str, *, service: str = "app", role_name: str = "web") -> Container:
    return Container(f"{service}-{role_name}-{destination}-1", "running", "app:1", service, role_name, destination)


@pytest.mark.parametrize(
    ("service", "destination", "container", "shared"),
    [
        ("app-db", "staging", app_container("production"), True),
        ("app-db", "staging", app_container(""), True),
        ("app-db", None, app_container("production"), True),
        ("app-db", "staging", app_container("staging"), False),
        ("app-db", None, app_container(""), False),
        ("app-db", "staging", app_container("production", service="blog"), False),
        ("app-db", "staging", app_container("", role_name=""), False),
        ("staging-db", "staging", app_container("production"), False),
    ],
)
def test_another_destination_beside_an_accessory(
    service: str, destination: str | None, container: Container, shared: bool
) -> None:
    """Its name has no destination in it, unless deploy.yml gives it one: so another destination may use the same."""
    run = context(configured(service, destination))
    known = HostFacts(DB_HOST, (container,))
    assert users_on(run, known, []) == ({"db": [container.name]} if shared else {})


@pytest.mark.parametrize(
    ("destination", "file", "shared"),
    [
        ("staging", ".kamal/apps/app-production/env/accessories/db.env", True),
        ("staging", ".kamal/apps/app/env/accessories/db.env", True),
        ("staging", ".kamal/apps/app-staging/env/accessories/db.env", False),
        ("staging", ".kamal/apps/app-production/env/accessories/cache.env", False),
        ("staging", ".kamal/apps/app-production/env/accessories/db.env.age", True),
        ("staging", ".kamal/apps/app-production/env", True),
        ("staging", ".kamal/apps/app-staging/env", False),
    ],
)
def test_an_accessory_that_another_destination_has_booted(destination: str, file: str, shared: bool) -> None:
    """It has left the file with its secrets, also on a host where only the accessory is, or a link to where it was."""
    run = context(configured(destination=destination))
    assert users_on(run, HostFacts(DB_HOST, ()), [file]) == ({"db": [file]} if shared else {})
    assert commands.environment_files(run.config).display_text() == (
        "ls .kamal/apps/app*/env/accessories/*.env .kamal/apps/app*/env/accessories/*.env.age 2> /dev/null"
        ' ; for link in .kamal/apps/app*/env; do [ -L "$link" ] && [ ! -e "$link" ] && echo "$link"; done'
    )
