"""The conformance suite of adapters finds faults: each planted one fails the cases of its rule and no others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from unittest import SkipTest

import pytest

from pykamal.core.errors import DependencyError, KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Values
from pykamal.secrets.conformance import CASES, Case, Fault, Harness, NotConformant

pytestmark = pytest.mark.unit

NAMES: Final = [case.name for case in CASES]
FAULTS: Final = {str(fault) for fault in Fault}
BY_NAME: Final = {case.name: case for case in CASES}


@dataclass
class Drawer:
    """A manager in memory."""

    values: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    requests: int = 0

    def document(self) -> bytes:
        """Return all values as JSON, or what the fault makes of it."""
        self.requests += 1
        text = json.dumps({"values": self.values}).encode()
        return text[:-4] if self.fault in (Fault.HALF_AN_ANSWER, Fault.SERVER_GONE) else text


class DrawerAdapter:
    """An adapter without faults. The planted ones override a part of it."""

    needs_account: ClassVar[bool] = False

    def __init__(self, drawer: Drawer) -> None:
        self.drawer = drawer

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        if self.drawer.fault is Fault.MISSING_TOOL:
            raise self.not_installed()
        values = self.opened()
        return {name: self.value(values, name) for name in secrets}

    def not_installed(self) -> KamalError:
        return DependencyError("The drawer is not installed", hint="pip install drawer")

    def opened(self) -> Mapping[str, str]:
        text = self.drawer.document()
        if self.drawer.fault not in (None, Fault.HALF_AN_ANSWER, Fault.SERVER_GONE):
            raise self.refused(text)
        try:
            values: Mapping[str, str] = json.loads(text)["values"]
        except ValueError:
            problem = "ended in the middle"
        else:
            return values
        raise KamalError(f"The answer of the drawer {problem}", hint="try again")

    def refused(self, text: bytes) -> KamalError:
        return KamalError(f"The drawer cannot be opened: {self.drawer.fault}", hint="look for the key")

    def value(self, values: Mapping[str, str], name: str) -> Any:
        if name not in values:
            raise KamalError(f"There is no {name} in the drawer", hint="look into the other drawer")
        return Sensitive(values[name])


class DrawerHarness(Harness):
    """The drawer with one of its adapters."""

    def __init__(self, adapter: type[DrawerAdapter] = DrawerAdapter) -> None:
        self._drawer = Drawer()
        self._adapter = adapter

    def adapter(self) -> DrawerAdapter:
        return self._adapter(self._drawer)

    def store(self, values: Mapping[str, str | bytes]) -> None:
        self._drawer.values = {
            short: value if isinstance(value, str) else value.decode(errors="surrogateescape")
            for short, value in values.items()
        }

    def cause(self, fault: Fault) -> None:
        self._drawer.fault = fault

    def missing_field(self) -> str:
        return "one/missing"

    def requests(self) -> int:
        return self._drawer.requests

    def most_requests(self, secrets: int) -> int:
        return 1


def failures(adapter: type[DrawerAdapter]) -> dict[str, str]:
    """The cases that the adapter fails, and why."""
    found = {}
    for case in CASES:
        try:
            case.check(DrawerHarness(adapter))
        except NotConformant as error:
            found[case.name] = str(error)
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_adapter_without_faults_passes(case: Case) -> None:
    """Every case can be passed."""
    case.check(DrawerHarness())


class SwallowsErrors(DrawerAdapter):
    def opened(self) -> Mapping[str, str]:
        try:
            return super().opened()
        except KamalError:
            return dict.fromkeys(self.drawer.values, "")


class InventsMissing(DrawerAdapter):
    def value(self, values: Mapping[str, str], name: str) -> Any:
        return Sensitive(values.get(name, ""))


class LeavesOutMissing(DrawerAdapter):
    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        found = [name for name in secrets if name in self.drawer.values]
        return super().fetch(found, account=account, source=source)


class NamesNothing(DrawerAdapter):
    def value(self, values: Mapping[str, str], name: str) -> Any:
        if name not in values:
            raise KamalError("Something is not there", hint="look into the other drawer")
        return super().value(values, name)


class GivesNoHint(DrawerAdapter):
    def refused(self, text: bytes) -> KamalError:
        return KamalError("The drawer cannot be opened")


class ShowsAnswer(DrawerAdapter):
    def refused(self, text: bytes) -> KamalError:
        return KamalError(f"The drawer cannot be opened: {text.decode()}", hint="look for the key")


class ShowsAnswerInHint(DrawerAdapter):
    def refused(self, text: bytes) -> KamalError:
        return KamalError("The drawer cannot be opened", hint=f"look at {text.decode()}")


class ShowsBase64(DrawerAdapter):
    def refused(self, text: bytes) -> KamalError:
        import base64

        return KamalError("The drawer cannot be opened", details=(base64.b64encode(text).decode(),), hint="look")


class KeepsCause(DrawerAdapter):
    def opened(self) -> Mapping[str, str]:
        try:
            values: Mapping[str, str] = json.loads(self.drawer.document())["values"]
        except ValueError as error:
            raise KamalError("The answer of the drawer ended in the middle", hint="try again") from error
        return values if self.drawer.fault is None else super().opened()


class KeepsHiddenContext(KeepsCause):
    def opened(self) -> Mapping[str, str]:
        try:
            return super().opened()
        except KamalError as error:
            raise error from None


class RaisesForeignErrors(DrawerAdapter):
    def opened(self) -> Mapping[str, str]:
        if self.drawer.fault in (Fault.EXPIRED_LOGIN, Fault.RATE_LIMIT):
            raise ConnectionError("no more")
        return super().opened()


class HasNoDependencyError(DrawerAdapter):
    def not_installed(self) -> KamalError:
        return KamalError("The drawer is not there", hint="install it")


class TellsNoInstallation(DrawerAdapter):
    def not_installed(self) -> KamalError:
        return DependencyError("The drawer is not there", hint="ask somebody")


class GivesPlainText(DrawerAdapter):
    def value(self, values: Mapping[str, str], name: str) -> Any:
        return values[name] if name == "n199" else super().value(values, name)


class SortsNames(DrawerAdapter):
    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        return super().fetch(sorted(secrets), account=account, source=source)


class StopsAtHundred(DrawerAdapter):
    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        return super().fetch(secrets[:100], account=account, source=source)


class AsksForEach(DrawerAdapter):
    def value(self, values: Mapping[str, str], name: str) -> Any:
        return super().value(self.opened(), name)


def changing(change: Callable[[str], str | None]) -> type[DrawerAdapter]:
    """An adapter that changes values on their way."""

    class Changes(DrawerAdapter):
        def value(self, values: Mapping[str, str], name: str) -> Any:
            text = change(super().value(values, name).reveal())
            return None if text is None else Sensitive(text)

    return Changes


def shell_like(text: str) -> str:
    import re

    return re.sub(r"\$\w+", "", text)


STATES: Final = FAULTS - {Fault.MISSING_TOOL, Fault.HALF_AN_ANSWER, Fault.SERVER_GONE}
CUT: Final = {str(Fault.HALF_AN_ANSWER), str(Fault.SERVER_GONE)}
MISSING: Final = {"missing secret", "missing field"}

PLANTED: Final[tuple[tuple[type[DrawerAdapter], set[str], str], ...]] = (
    (SwallowsErrors, STATES | CUT, "as if nothing had happened"),
    (InventsMissing, MISSING, "as if nothing had happened"),
    (LeavesOutMissing, MISSING, "as if nothing had happened"),
    (NamesNothing, MISSING, "does not name what is missing"),
    (GivesNoHint, STATES, "no hint"),
    (ShowsAnswer, STATES, "something of a value or a credential is in the message of the error"),
    (ShowsAnswerInHint, STATES, "something of a value or a credential is in `hint` of the error"),
    (ShowsBase64, STATES, "something of a value or a credential is in `details` of the error"),
    (KeepsCause, CUT, "is in `doc` of what led to the error, JSONDecodeError"),
    (KeepsHiddenContext, CUT, "is in `doc` of what led to the error, JSONDecodeError"),
    (RaisesForeignErrors, {"expired login", "rate limit"}, "no KamalError: ConnectionError"),
    (HasNoDependencyError, {"missing tool"}, "not a DependencyError"),
    (TellsNoInstallation, {"missing tool"}, "how to install"),
    (GivesPlainText, {"two hundred at once"}, "is a str and not a Sensitive"),
    (SortsNames, {"order of the answer", "two hundred at once"}, "order of the answer: asked were"),
    (StopsAtHundred, {"two hundred at once"}, "names of the answer: missing are"),
    (AsksForEach, {"number of requests"}, "took 42 requests or processes, and may take 1"),
    (changing(lambda text: text.replace("\n", " ")), {"line breaks"}, "first different at 0"),
    (changing(lambda text: text.replace('"', "")), {"quotes"}, "did not arrive as it was stored"),
    (changing(shell_like), {"dollar signs"}, "did not arrive as it was stored"),
    (changing(lambda text: text.strip(" \t")), {"white space"}, "did not arrive as it was stored"),
    (changing(lambda text: text.replace("ü", "?")), {"not ASCII"}, "did not arrive as it was stored"),
    (changing(lambda text: text or None), {"empty value"}, "it has no value"),
    (changing(lambda text: text[: 1 << 16]), {"one megabyte"}, "65536 characters instead of 1000000"),
    (changing(lambda text: text.partition("\0")[0]), {"NUL byte"}, "did not arrive as it was stored"),
    (
        changing(lambda text: text.encode("utf-8", "surrogateescape").decode(errors="replace")),
        {"not UTF-8"},
        "did not arrive as it was stored",
    ),
)


@pytest.mark.parametrize(("adapter", "expected", "reason"), PLANTED, ids=lambda each: getattr(each, "__name__", None))
def test_a_planted_fault_fails_its_cases_alone(adapter: type[DrawerAdapter], expected: set[str], reason: str) -> None:
    """Each rule of the suite finds what breaks it, says so, and takes nothing else for it."""
    found = failures(adapter)
    assert set(found) == expected
    assert all(reason in why for why in found.values()), found


def test_every_case_finds_a_fault() -> None:
    """No case of the suite passes whatever the adapter does."""
    assert set().union(*(expected for _, expected, _ in PLANTED)) == set(NAMES) - {"plain text"}


class TellsProcess(DrawerAdapter):
    """Hands values to a program as an argument."""

    program: ClassVar[Sequence[str]] = ["true"]

    def value(self, values: Mapping[str, str], name: str) -> Any:
        found = super().value(values, name)
        subprocess.run([*self.program, found.reveal()[-50:]], check=True)
        return found


class TellsProcessOfProcess(TellsProcess):
    """Hands values to a program on its standard input, which has another one get them as an argument."""

    def value(self, values: Mapping[str, str], name: str) -> Any:
        found = DrawerAdapter.value(self, values, name)
        subprocess.run(["sh", "-c", 'sh -c "sleep 0.2" "$(cat)"'], input=found.reveal().encode(), check=True)
        return found


@pytest.mark.process
@pytest.mark.parametrize("adapter", [TellsProcess, TellsProcessOfProcess])
def test_a_value_in_arguments_is_found(adapter: type[DrawerAdapter]) -> None:
    """Arguments of a process, and of what it starts itself, are seen while a fetch runs."""
    with pytest.raises(NotConformant, match=r"in the arguments of a process: (true|sh)"):
        BY_NAME["plain text"].check(DrawerHarness(adapter))


def test_nothing_is_skipped_silently() -> None:
    """A case that a harness cannot carry out has to be declared, with a reason and the name of a case."""

    class Unable(DrawerHarness):
        def cause(self, fault: Fault) -> None:
            Harness.cause(self, fault)

    case = BY_NAME["rate limit"]
    with pytest.raises(NotConformant, match="nor has it in not_applicable"):
        case.check(Unable())
    declared: Mapping[str, str]
    for declared, error, told in (
        ({"rate limit": "it has none"}, SkipTest, "rate limit: it has none"),
        ({"rate limit": " "}, NotConformant, "no reason for 'rate limit'"),
        ({"rate limits": "it has none"}, NotConformant, "names of no case: rate limits"),
    ):
        harness = type("Declares", (Unable,), {"not_applicable": declared})()
        with pytest.raises(error, match=told):
            case.check(harness)


@pytest.mark.process
def test_the_suite_needs_no_pytest() -> None:
    """The product does not depend on pytest, and neither do other packages' harnesses."""
    program = "import sys, pykamal.secrets.conformance; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
