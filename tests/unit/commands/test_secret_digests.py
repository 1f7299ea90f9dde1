"""Keyed hashes of secrets, made by a real shell as hosts have it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pykamal.commands.env_file import encode, line_value
from pykamal.commands.secret_digests import FILE, Keys, digests
from pykamal.core.sensitive import Sensitive
from pykamal.operations.secrets.diff import Row, State, rows

pytestmark = [pytest.mark.unit, pytest.mark.process]

VALUES = {
    "PLAIN": "word",
    "EMPTY": "",
    "ODD": "a=b \"c\" 'd' \\ %s $(id) `id` é ~ *  ",
    "LINES": "one\ntwo\n",
    "DASH": "-n",
    "LONG": "x" * 20_000,
}


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_shell_makes_the_same_hashes(shell: str, tmp_path: Path) -> None:
    """The hash of each line of an env file is that of its value here, whatever the value has in it."""
    keys = Keys.random()
    file = tmp_path / "web.env"
    file.write_text(encode((name, Sensitive(value)) for name, value in VALUES.items()).reveal())
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 0\n")  # a stand-in for an engine without containers
    (tmp_path / "docker").chmod(0o755)
    text = digests(keys, str(file), [], VALUES).shell_text()
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([shell, "-s"], input=text, capture_output=True, text=True, env=environment, check=True)
    printed = [line.split("\t") for line in done.stdout.splitlines()]
    expected = [[FILE, "", name, keys.digest(Sensitive(line_value(value)))] for name, value in VALUES.items()]
    assert printed == expected


def test_a_container_that_cannot_be_inspected_fails(tmp_path: Path) -> None:
    """Nothing would be known of its variables, which is not that it has none."""
    docker = '#!/bin/sh\n[ "$1" = ps ] && echo "app-web-v1 running"\n'  # a stand-in for an engine that breaks off
    (tmp_path / "docker").write_text(docker)
    (tmp_path / "docker").chmod(0o755)
    text = digests(Keys.random(), str(tmp_path / "web.env"), [], ["A"]).shell_text()
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert subprocess.run(["sh", "-s"], input=text, text=True, env=environment, check=False).returncode == 1


def test_the_hash_depends_on_both_keys() -> None:
    """Without the keys of the run a hash tells nothing: another run has other hashes of the same value."""
    keys, value = Keys(Sensitive("a"), Sensitive("b")), Sensitive("hush")
    others = [Keys(Sensitive("x"), Sensitive("b")), Keys(Sensitive("a"), Sensitive("x")), Keys.random()]
    assert len({keys.digest(value), *(each.digest(value) for each in others)}) == 4
    assert [len(key.reveal()) for key in (Keys.random().inner, Keys.random().outer)] == [64, 64], "a block each"


def test_the_keys_do_not_show() -> None:
    """The line for people has neither keys nor names of values."""
    keys = Keys.random()
    shown = digests(keys, "web.env", [], ["A"]).display_text()
    assert keys.inner.reveal() not in shown
    assert "web.env" in shown


def test_states() -> None:
    """Env file and containers are compared one by one; a container that does not run is not in use."""
    answer = "\n".join(
        [
            "file\t\tA\tsame",
            "file\t\tB\tother",
            "file\t\tOLD\tx",
            "app-v2\trunning",
            "app-v2\trunning\tA\tother",
            "app-v2\trunning\tB\tsame",
            "app-v2\trunning\tC\tsame",
            "app-v1\texited",
            "app-v1\texited\tA\tsame",
        ]
    )
    found = {(row.place, row.name): row.state for row in rows("h", "role web", dict.fromkeys("ABC", "same"), answer)}
    assert found == {
        ("env file", "A"): State.SAME,
        ("env file", "B"): State.DIFFERS,
        ("env file", "C"): State.MISSING,
        ("env file", "OLD"): State.EXTRA,
        ("app-v2", "A"): State.DIFFERS,
        ("app-v2", "B"): State.SAME,
        ("app-v2", "C"): State.SAME,
        ("app-v1", "A"): State.SAME,
        ("app-v1", "B"): State.UNUSED,
        ("app-v1", "C"): State.UNUSED,
    }
    assert not Row("h", "role web", "app-v1", "B", State.UNUSED).counts
