"""The conformance suite of adapters over real managers and programs of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pytest

from pykamal.secrets.conformance import CASES, Case, Harness
from tests.managers import cloud_harnesses
from tests.managers.aws_harness import AwsHarness, AwsSsmHarness
from tests.managers.doppler_harness import DopplerHarness
from tests.managers.file_harnesses import HARNESSES as LOCAL_HARNESSES
from tests.managers.vault_harness import VaultHarness

Make = Callable[[pytest.FixtureRequest], Harness]

HARNESSES: Final[Mapping[str, type[Harness]]] = {
    "aws": AwsHarness,
    "aws-ssm": AwsSsmHarness,
    "doppler": DopplerHarness,
    "vault": VaultHarness,
    **LOCAL_HARNESSES,
    **cloud_harnesses.HARNESSES,
}
"""Harnesses by the name of the adapter. They are made with the request of the test, whose fixtures they use."""


@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name, harness in HARNESSES.items() for case in CASES if case.name not in harness.not_applicable],
    ids=str,
)
def test_an_adapter_conforms(name: str, case: Case, request: pytest.FixtureRequest) -> None:
    """Each adapter passes each case of the suite that can apply to it."""
    make: Make = HARNESSES[name]
    case.check(make(request))
