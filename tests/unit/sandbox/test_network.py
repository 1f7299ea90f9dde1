"""Addresses and ports that nobody else on this machine uses."""

from __future__ import annotations

import json
import socket

import pytest

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes, network

pytestmark = pytest.mark.unit


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Return the output of `ip -json route`; a test may add to it."""
    routes: list[dict[str, str]] = [{"dst": "default"}, {"dst": "192.0.2.0/24"}]
    monkeypatch.setattr(background_processes, "run", lambda argv: json.dumps(routes))
    return routes


def test_the_same_name_gets_the_same_subnet(routes: list[dict[str, str]]) -> None:
    """A preference, made from the name, decides; known_hosts and deploy.yml of last time still fit."""
    assert network.choose_subnet(6, []) == network.choose_subnet(6, []) == "10.88.7.0/24"


@pytest.mark.parametrize("route", ["10.88.7.0/24", "10.88.7.128/25", "10.88.6.0/23", "10.88.7.9"])
def test_a_subnet_in_use_is_passed_over(routes: list[dict[str, str]], route: str) -> None:
    """Every overlap counts: a part, a whole, a single address of the machine."""
    routes.append({"dst": route})
    assert network.choose_subnet(6, []) == "10.88.8.0/24"


def test_a_subnet_of_another_sandbox_is_passed_over(routes: list[dict[str, str]]) -> None:
    """Its bridge may not be there yet: the manifests count as well as the routes."""
    assert network.choose_subnet(6, ["10.88.7.0/24", "10.88.8.0/24"]) == "10.88.9.0/24"


def test_no_subnet_left(routes: list[dict[str, str]]) -> None:
    """A company network that takes all of 10.0.0.0/8 is no place for a sandbox."""
    routes.append({"dst": "10.0.0.0/8"})
    with pytest.raises(SandboxError, match="in use"):
        network.choose_subnet(6, [])


def test_a_port_in_use_is_passed_over() -> None:
    """A port that somebody listens on, or that another sandbox was given, is not taken."""
    first = network.choose_port(4321, [])
    with socket.create_server(("127.0.0.1", first)):
        second = network.choose_port(4321, [])
        third = network.choose_port(4321, [second])
    assert len({first, second, third}) == 3
    assert network.choose_port(4321, []) == first
