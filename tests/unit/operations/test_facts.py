"""The facts that flows read of a host (spec/cli.md 14.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pykamal.core.errors import CommandFailed, KamalError
from pykamal.operations.hosts.facts import Container, HostFacts, parse, reading
from pykamal.operations.proxy.boot_plan import boot_tasks, outdated
from pykamal.transport.session import StepResult
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

WEB = role("web", "h")


def container(version: str, state: str = "running", *, destination: str = "", service: str = "app") -> Container:
    return Container(f"app-web-{version}", state, f"app:{version}", service, "web", destination)


def facts(*containers: Container) -> HostFacts:
    """A host with these containers, newest first."""
    return HostFacts("h", containers)


def test_the_only_running_version_is_current() -> None:
    """spec/cli.md 14.2, whatever the image tagged latest is."""
    known = facts(container("2", "exited"), container("1"))
    assert known.current_version(WEB) == "1"
    assert known.undecided([WEB]) == ()


def test_among_several_the_chosen_one_is_current() -> None:
    """spec/cli.md 14.2: the image tagged latest wins over the newest container, and is asked for only then."""
    known = facts(container("2"), container("1"))
    assert known.undecided([WEB]) == (WEB,)
    assert replace(known, chosen={"web": "1"}).current_version(WEB) == "1"
    assert replace(known, chosen={"web": "1"}).undecided([WEB]) == ()


def test_stopped_containers_are_not_current_but_can_be_rolled_back_to() -> None:
    """13.4: a rollback needs the container, running or not."""
    stopped = facts(container("1", "exited"))
    assert stopped.current_version(WEB) is None
    assert stopped.has_container(WEB, "1")
    assert not stopped.has_container(WEB, "2")


def test_containers_of_other_destinations_and_services_are_left_out() -> None:
    """spec/config.md 18.4: the filters name service and destination."""
    assert facts(container("1", destination="eu"), container("1", service="other")).running_versions(WEB) == ()


def test_what_docker_prints_is_understood() -> None:
    """Containers with and without our labels, the proxy, and a line that is none of ours."""
    proxy = "kamal-proxy\trunning\tbasecamp/kamal-proxy:v0.9.2\t\t\t\t3 weeks ago\tb2"
    printed = f"app-web-2\trunning\tapp:2\tapp\tweb\t\t2 hours ago\ta1\n{proxy}\nnoise\n"
    (step,) = reading(config(WEB), "h")
    known = parse("h", [StepResult(step, 0, printed, "", 0.0)])
    assert known.current_version(WEB) == "2"
    assert known.proxy_running
    assert known.proxy_version == "v0.9.2"
    assert [container.age for container in known.containers] == ["2 hours ago", "3 weeks ago"]


def test_an_engine_that_does_not_answer_is_no_empty_host() -> None:
    """A failure to read must not look like a host without containers."""
    (step,) = reading(config(WEB), "h")
    with pytest.raises(CommandFailed) as caught:
        parse("h", [StepResult(step, 1, "", "Cannot connect to the Docker daemon", 0.0)])
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("tag", "refused"), [("v0.9.1", True), ("v0.9.2.pre", True), ("0.9.2", False), ("latest", False)]
)
def test_a_proxy_that_is_too_old_is_refused(tag: str, refused: bool) -> None:
    """14.7 and quirk 15: older versions and pre-releases are too old, tags that are no version are trusted."""
    known = facts(Container("kamal-proxy", "running", f"basecamp/kamal-proxy:{tag}"))
    assert outdated(known) is refused


def test_no_plan_is_made_for_a_proxy_that_is_too_old() -> None:
    """14.7: the words that scripts know, and what to do."""
    known = facts(Container("kamal-proxy", "running", "basecamp/kamal-proxy:v0.9.1"))
    run = context(config(WEB))
    with pytest.raises(KamalError, match=r"v0\.9\.1 is too old, run `kamal proxy reboot`") as caught:
        boot_tasks(run, {"h": known}, log_in=False)
    assert "--upgrade-proxy" in (caught.value.hint or "")
