"""The suite that every adapter of a secret manager passes, those of other packages included (docs/secrets.md).

A harness describes the manager to the suite: how to store values in it, and how to break it. Each case of `CASES` then
checks one rule. Nothing here needs pytest; its parameters are the usual way to run the cases:

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_conformance(case, tmp_path, monkeypatch):
        case.check(DrawerHarness(tmp_path, monkeypatch))
"""

from pykamal.secrets.conformance.cases import CASES, Case
from pykamal.secrets.conformance.harness import Fault, Harness
from pykamal.secrets.conformance.outcome import NotConformant

__all__ = ["CASES", "Case", "Fault", "Harness", "NotConformant"]
