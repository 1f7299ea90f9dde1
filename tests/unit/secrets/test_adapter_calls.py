"""Errors out of adapters: each names its adapter, and none has anything of a value."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters import adapter_calls

pytestmark = pytest.mark.unit

CANARY = "canary-93b1-value"
NAMED = "the adapter drawer of the provider desk"
KAMAL = Path(sys.executable).with_name("kamal")


class Drawer:
    """An adapter that ends as it is told."""

    needs_account = False

    def __init__(self, ending: object) -> None:
        self._ending = ending

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Mapping[str, Sensitive]:
        ending = self._ending
        if isinstance(ending, BaseException):
            try:
                json.loads(CANARY)
            except ValueError as error:
                raise ending from error
        return ending  # type: ignore[return-value]

    def status(self, *, account: str | None) -> str | None:
        raise ValueError(CANARY)


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (ValueError(f"bad {CANARY}"), "The adapter drawer of the provider desk failed with ValueError"),
        (SystemExit(f"bad {CANARY}"), "The adapter drawer of the provider desk failed with SystemExit"),
        (KamalError("There is no such drawer", hint="look again"), "There is no such drawer"),
        ([CANARY], "does not keep to the interface: its `fetch` returned a list and no mapping"),
        ({"a": CANARY}, "does not keep to the interface: its `fetch` returned a value that is a str, no Sensitive"),
    ],
)
def test_every_ending_is_an_error_without_a_value(ending: object, message: str) -> None:
    """Neither the message, the evidence nor the traceback has it, whatever the adapter raises or returns."""
    with pytest.raises(KamalError, match=message) as caught:
        adapter_calls.fetch(Drawer(ending), NAMED, ["a"], account=None, source=None)
    error = caught.value
    assert error.hint
    assert CANARY not in f"{error.message} {error.details} {error.hint}"
    assert CANARY not in "".join(traceback.format_exception(error))
    assert (error.__cause__, error.__context__) == (None, None)


def test_the_place_of_a_fault_is_told() -> None:
    """The evidence has the file, the line and the function, since the text of the error is left out."""
    with pytest.raises(KamalError) as caught:
        adapter_calls.status(Drawer(None), NAMED, account=None)
    assert caught.value.details[-1].endswith(" in Drawer.status")
    assert f"{Path(__file__)}:" in caught.value.details[-1]


def test_values_pass_as_they_are() -> None:
    """A mapping of secrets, in its order; a name without a value has None."""
    values: dict[str, Sensitive | None] = {"b": Sensitive("1"), "a": None}
    assert adapter_calls.fetch(Drawer(values), NAMED, ["b", "a"], account=None, source=None) is values


FAULTY = f"""\
from pykamal.core.sensitive import Sensitive

class Drawer:
    needs_account = False

    def fetch(self, secrets, *, account, source):
        raise LookupError("no {CANARY}")

    def status(self, *, account):
        raise LookupError("no {CANARY}")

    @property
    def settings(self):
        if "{{0}}" == "settings":
            raise LookupError("no {CANARY}")
        return ()

drawer = Drawer()
"""
CONFIG = """\
service: app
image: me/app
servers: [192.0.2.1]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
env: {secret: [A]}
x-pykamal: {secrets: {providers: {desk: {adapter: drawer}}, from: {A: "desk:A"}}}
"""


@pytest.mark.process
@pytest.mark.parametrize("fault", ["fetch", "settings"])
@pytest.mark.parametrize(
    "words", [["fetch", "--adapter", "drawer", "A"], ["check"], ["doctor"], ["print"]], ids=lambda words: words[0]
)
def test_a_faulty_adapter_of_others(words: list[str], fault: str, tmp_path: Path) -> None:
    """Its exception ends a command as a refusal does: with the adapter's name, exit code 1, and no value at --debug."""
    (tmp_path / "drawer_adapter.py").write_text(FAULTY.replace("{0}", fault))
    metadata = tmp_path / "drawer_adapter-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: drawer-adapter\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pykamal.secrets]\ndrawer = drawer_adapter:drawer\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    environment = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [KAMAL, "secrets", *words, "--debug"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 1, printed
    assert "he adapter drawer" in printed
    assert "failed with LookupError" in printed
    assert CANARY not in printed
