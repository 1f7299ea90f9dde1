"""The secret adapters and Ruby Kamal's drive the same stand-ins: the same values are printed, by the same calls."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.application import KAMAL, RUBY_KAMAL
from tests.unit.secrets.stand_ins import StandIns

pytestmark = pytest.mark.parity

CASES: Final[Mapping[str, tuple[Mapping[str, str | None], str]]] = {
    "1password": ({"v/i/a": "1", "v/i/s/b": "2", "v/j/password": "$x"}, "--account me op://v/i/a v/j v/i/s/b"),
    "one_password": ({"v/i/a": "1", "v/i/empty": None}, "--account me --from v/i"),
    "lastpass": ({"f/a": "1", "f/b": "2"}, "--account me --from f a b"),
    "bitwarden": ({"i/a": "1", "j": "2"}, "--account me i/a j"),
    "bitwarden-sm": ({"a": "1", "b": "2"}, "--from P all"),
    "bitwarden_secrets_manager": ({"a": "1", "b": "2"}, "a b"),
    "aws_secrets_manager": ({"o": '{"a":"1"}', "t": "text"}, "--account me o t"),
    "doppler": ({"A": "1", "B": "2"}, "--from p/c A B"),
    "enpass": ({"T/x": "1", "T/y": "2", "U": "3"}, "--from /v T/x U gone"),
    "gcp": ({"s": "1"}, "--account u@x|a@x --from p s/7"),
    "gcp_secret_manager": ({"s": "1"}, "--account default s"),
    "passbolt": ({"one": "1", "two": "2"}, "one top/deep/two"),
}
NEWER: Final = ("--column", "name", "--column", "password")
"""Words of 2.12 (spec/cli.md 16.3), which the installed Ruby Kamal does not have yet."""


@pytest.mark.parametrize("logged_in", [True, False], ids=["logged in", "to be logged in"])
@pytest.mark.parametrize("name", CASES)
def test_the_same_values_by_the_same_calls(tmp_path: Path, name: str, logged_in: bool) -> None:
    """spec/cli.md 16.3: but for the session of `op`, which stays out of the process list (docs/differences.md)."""
    values, words = CASES[name]
    stand_ins = StandIns(tmp_path)
    stand_ins.install()
    seen = []
    for kamal in (KAMAL, RUBY_KAMAL):
        stand_ins.hold(values, logged_in=logged_in, folders=("top", "deep"))
        done = subprocess.run(
            [kamal, "secrets", "fetch", "--adapter", name, *words.split()],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        seen.append((done.returncode, done.stdout, [_comparable(call) for call in stand_ins.called()]))
    assert seen[0] == seen[1]
    assert seen[0][0] == 0


def _comparable(call: list[str]) -> list[str]:
    if call[0] == "op" and "--session" in call:
        place = call.index("--session")
        call = call[:place] + call[place + 2 :]
    left_out = {"op": ("--raw",), "passbolt": NEWER}.get(call[0], ())
    return [word for word in call if word not in left_out]
