"""Secrets files and `kamal secrets` with either tool: the same words on standard output (spec/cli.md 16.1, 16.2)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.application import KAMAL, RUBY_KAMAL

pytestmark = pytest.mark.parity

CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {username: me, password: [REGISTRY_PASSWORD]}
builder: {arch: amd64}
"""

COMMON = """\
C=common
OVERRIDDEN=common
"""

SECRETS = r"""
A=plain
B = spaced value   # c
HASH=a#b
HASH2="a#b" # c
S='single $A $(echo no) \n'
D="double $A \$A $(echo cmd) \n \t \"q\""
UN=un$A-${A}\$A\n$(echo sub $A)
COLON: yaml style
NEST=$(echo $(echo nested))
FAIL=$(exit 3)
ENVX=$ENVX
REF=$C
DOLLAR=a$ b $1 $$
X=$(cat f)
Q2=$(echo "has # hash")
OVERRIDDEN=own
export EXPORTED=yes
MULTI="two
lines"
FETCHED=$(kamal secrets fetch --adapter test --account me --from vault "O'NE" TWO 'T$HREE' LPARENx)
ONE=$(kamal secrets extract "O'NE" $FETCHED)
TWO="$( kamal  secrets   extract vault/TWO $FETCHED )"
"""


def printed(program: Path, folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [program, "secrets", *arguments],
        cwd=folder,
        env={**os.environ, "ENVX": "from environment"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    (tmp_path / ".kamal").mkdir()
    (tmp_path / ".kamal" / "secrets-common").write_text(COMMON)
    (tmp_path / ".kamal" / "secrets").write_text(SECRETS)
    (tmp_path / "f").write_text("p$HOME")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("print",),
        ("fetch", "--adapter", "test", "--account", "me", "--from", "a b", "x", "LPARENyRPAREN", "ü"),
        ("extract", "x", '{"v/x":"1","x":"2"}'),
        ("extract", "x", '{"v/x":"1","w/x":"2"}'),
    ],
    ids=["print", "fetch", "extract the exact name", "extract the first"],
)
def test_what_is_printed(project: Path, arguments: tuple[str, ...]) -> None:
    """spec/cli.md 16.1, 16.2: byte for byte."""
    ours = printed(KAMAL, project, *arguments)
    assert ours == printed(RUBY_KAMAL, project, *arguments)
    assert ours[0] == 0
