"""The secrets files that docs/secrets.md shows can be read as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pykamal.secrets import dotenv

pytestmark = pytest.mark.unit

DOCUMENT = Path(__file__).parents[3] / "docs" / "secrets.md"
SECRETS_FILES = [
    block
    for block in re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    if re.search(r"^\w+=\"?\$\(kamal secrets ", block, re.MULTILINE)
]


@pytest.mark.parametrize("text", SECRETS_FILES)
def test_each_example_is_read_whole(text: str) -> None:
    """A `#` cuts no command off, and no command has another one inside, which nothing would run."""
    commands: list[list[str]] = []

    def run(command: str) -> str:
        commands.append(shlex.split(command))
        return "JSON"

    values = dotenv.parse(text, substitute=run, environment={})
    assert values == dict.fromkeys(values, "JSON")
    for kamal, secrets, name, *arguments in commands:
        assert (kamal, secrets) == ("kamal", "secrets")
        assert not any("$" in word for word in arguments)
        assert name == "fetch" or (name == "extract" and len(arguments) == 2)


def test_the_examples_are_found() -> None:
    """Most adapters have one."""
    assert len(SECRETS_FILES) > 10
