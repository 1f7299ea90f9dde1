"""Selection of hosts and roles (spec/cli.md 2)."""

from __future__ import annotations

import pytest

from pykamal.core.errors import SelectionError
from pykamal.operations.selection import select
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

SHOP = config(role("web", "b", "a", primary=True), role("aaa", "z", "a"), role("jobs", "q", "z"))


def test_everything_is_selected_with_the_primary_role_and_its_hosts_first() -> None:
    """2.3: roles and hosts are stably sorted, primary first."""
    targets = select(SHOP)
    assert [each.name for each in targets.roles] == ["web", "aaa", "jobs"]
    assert targets.hosts == ("a", "b", "z", "q")
    assert targets.primary_host == "b"


def test_host_filter_keeps_the_order_of_the_patterns() -> None:
    """2.2: pattern order, then item order, unique."""
    assert select(SHOP, hosts="q,[ab]").primary_host == "q"
    assert set(select(SHOP, hosts="q,[ab]").hosts) == {"q", "a", "b"}


def test_role_filter_moves_the_primary_host_to_the_first_of_the_roles() -> None:
    """2.3: the lock host follows `-r`."""
    targets = select(SHOP, roles="jobs")
    assert (targets.primary_host, targets.hosts) == ("q", ("z", "q"))
    assert targets.primary_role is not None
    assert targets.primary_role.name == "jobs"


def test_primary_option_selects_one_host() -> None:
    """2.2: `-p` is the first host of the first selected role, else the configured primary host."""
    assert select(SHOP, primary=True).hosts == ("b",)
    assert select(SHOP, roles="jobs", primary=True).hosts == ("q",)


def test_contradicting_filters_select_nothing() -> None:
    """2.3: `-r workers -h WEBHOST` is empty, and no error."""
    assert select(SHOP, roles="jobs", hosts="b").hosts == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hosts": "9.9.9.9, x"}, "No --hosts match for 9.9.9.9,x"),
        ({"roles": "nope"}, "No --roles match for nope"),
    ],
)
def test_a_filter_that_matches_nothing_is_an_error_that_names_what_there_is(
    arguments: dict[str, str], message: str
) -> None:
    """2.2: raised before any connection."""
    with pytest.raises(SelectionError, match=message) as caught:
        select(SHOP, **arguments)  # type: ignore[arg-type]
    assert caught.value.hint is not None
    assert "web" in caught.value.hint or "b" in caught.value.hint


def test_what_a_filter_leaves_out_is_told() -> None:
    """2.2 and 2.3: no error, but a slip of the pen would go unnoticed; blanks behind a comma do not count."""
    assert select(SHOP, hosts="b, q").hosts == ("b", "q")
    assert select(SHOP, hosts="b,wbe2", roles="web,job").remarks == (
        "No --hosts match for wbe2",
        "No --roles match for job",
    )
    assert select(SHOP, roles="jobs", hosts="b").remarks == ("--hosts and --roles together leave no host",)
    assert select(SHOP).remarks == ()


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("10.0.*", {"10.0.0.1", "10.0.0.2"}),
        ("10.0.0.?", {"10.0.0.1", "10.0.0.2"}),
        ("10.0.0.[!1]", {"10.0.0.2"}),
        ("*", {"10.0.0.1", "10.0.0.2", "db/1"}),
    ],
)
def test_wildcards(pattern: str, hosts: set[str]) -> None:
    """2.2: shell-glob rules; a star also crosses slashes."""
    assert set(select(config(role("web", "10.0.0.1", "10.0.0.2", "db/1")), hosts=pattern).hosts) == hosts
