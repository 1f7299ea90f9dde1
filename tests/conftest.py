"""The servers that tests deploy to: brought up once a process, put back to their beginning before each test.

`PYKAMAL_TEST_SANDBOX=NAME` uses a sandbox of that name and leaves it up afterwards, which saves the start while writing
tests. Without it each process of a run (`pytest -n 2`) has its own, and what a run that was killed left behind is taken
down by the next one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings

from pykamal.sandbox.host import Host
from pykamal.sandbox.paths import home
from pykamal.sandbox.sandbox import Sandbox
from tests.e2e.application import Application
from tests.first_failure import show_failures_at_once
from tests.scheduling import pytest_xdist_make_scheduler  # noqa: F401

# Started in the background or by `nohup`, a run ignores these signals and so would the programs it interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A busy machine is no fault of the code: how long an example takes is not what these tests are about.
settings.register_profile("pykamal", deadline=None)
settings.load_profile("pykamal")

PREFIX = "test-"


def pytest_configure(config: pytest.Config) -> None:
    show_failures_at_once(config)


@pytest.fixture(autouse=True)
def _environment_restored() -> Iterator[None]:
    """Commands that run inside of a test's process may set variables for hooks: the next test does not see them."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Two hosts, a registry and a build engine."""
    kept = os.environ.get("PYKAMAL_TEST_SANDBOX")
    assert not (kept and "PYTEST_XDIST_WORKER" in os.environ), "one sandbox is one process's: run without -n"
    sandbox = Sandbox(kept or f"{PREFIX}{os.getpid()}")
    _sweep()
    sandbox.up(hosts=2)
    yield sandbox
    if kept is None:
        sandbox.down()


@pytest.fixture
def fresh_hosts(sandbox: Sandbox) -> list[Host]:
    """The hosts of `sandbox`, as new."""
    return reset(sandbox)


@pytest.fixture
def application(sandbox: Sandbox, fresh_hosts: list[Host], tmp_path: Path) -> Application:
    """The example application, committed, never deployed."""
    return Application.create(tmp_path / "hello", sandbox)


@pytest.fixture
def deployed(application: Application) -> Application:
    """The example application, running on both hosts."""
    application.kamal("setup")
    return application


def reset(sandbox: Sandbox) -> list[Host]:
    hosts = sandbox.hosts
    sandbox.start_registry()
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(Host.reset, hosts))
    return hosts


def _sweep() -> None:
    """Take down the sandboxes of runs whose process is gone."""
    for folder in home().glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            Sandbox(folder.name).down()
