"""Versions that are on the hosts, and what abbreviates one (spec/cli.md 13.4)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pykamal.core.errors import KamalError
from pykamal.operations.app.versions import available_versions, full_version, without_container
from pykamal.operations.context import Context
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.operations.rollback import check_available
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

FIRST, SECOND = "10.0.0.1", "10.0.0.2"


def facts(host: str, *names: str, destination: str = "") -> HostFacts:
    """A host with containers `ROLE-VERSION`, newest first."""
    found = (Container(f"app-{name}", "exited", "app", "app", name.partition("-")[0], destination) for name in names)
    return HostFacts(host, tuple(found))


def run(*roles: str) -> Context:
    return context(config(*(role(name, FIRST, SECOND) for name in roles or ("web",))))


BOTH = {
    FIRST: facts(FIRST, "web-abc123", "web-abd456", "web-1.0", "web-1.0.1", "web-fff_replaced_0123456789abcdef"),
    SECOND: facts(SECOND, "web-abc123", "web-abd456", "web-abe789", "web-1.0", "web-1.0.1"),
}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("abc123", "abc123"),
        ("abc", "abc123"),
        ("abe", "abe789"),  # on one host: who checks says where it is missing
        ("1.0", "1.0"),  # a version that begins another one is not ambiguous
        ("1.0.", "1.0.1"),
        ("nothing", "nothing"),
        ("bc1", "bc1"),
        ("fff", "fff"),
        ("", ""),
        ("ABC", "ABC"),
    ],
)
def test_an_abbreviated_version(text: str, meant: str) -> None:
    """It is completed where one version alone begins with it, over all hosts and roles; else it is left as it is."""
    assert full_version(run(), BOTH, text) == meant


@pytest.mark.parametrize(
    ("text", "candidates"),
    [("ab", ("abc123", "abd456", "abe789 (not on every host)")), ("1", ("1.0", "1.0.1"))],
)
def test_an_ambiguous_abbreviation(text: str, candidates: Sequence[str]) -> None:
    """The candidates are listed, the newest first, and nothing is chosen."""
    with pytest.raises(KamalError, match=f"'{text}' is ambiguous") as caught:
        full_version(run(), BOTH, text)
    assert caught.value.details == tuple(candidates)


def test_other_roles_and_destinations() -> None:
    """Versions of a selected role count; those of another destination do not."""
    known = {
        FIRST: facts(FIRST, "web-abc1", "worker-abc2"),
        SECOND: HostFacts(
            SECOND, (*facts(SECOND, "web-abc1").containers, *facts(SECOND, "web-abc3", destination="eu").containers)
        ),
    }
    assert full_version(run(), known, "abc") == "abc1"
    with pytest.raises(KamalError, match="ambiguous"):
        full_version(run("web", "worker"), known, "abc")


def test_a_version_that_some_host_lacks() -> None:
    """13.4: where it is missing, and what every host has."""
    assert [facts.host for facts, _ in without_container(run(), BOTH, "abe789")] == [FIRST]
    assert available_versions(run(), BOTH) == ["abc123", "abd456", "1.0", "1.0.1"]
    with pytest.raises(KamalError, match="is not available as a container") as caught:
        check_available(run(), BOTH, "abe789")
    assert caught.value.details == (f"{FIRST}: no container app-web-abe789",)
    assert caught.value.hint == "versions on every host: abc123, abd456, 1.0, 1.0.1"
