"""`kamal init`: the first files of a project; nothing that exists is touched (spec/cli.md 18.3)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from pykamal.cli.invocation import Invocation

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
CONFIG: Final = Path("config/deploy.yml")
SECRETS: Final = Path(".kamal/secrets")
HOOKS: Final = Path(".kamal/hooks")


def run(invocation: Invocation) -> int:
    say = invocation.bus.say
    if _copied("deploy.yml", CONFIG):
        say(f"Created configuration file in {CONFIG}")
    else:
        say(f"Config file already exists in {CONFIG} (remove first to create a new one)")
    if _copied("secrets", SECRETS):
        say(f"Created {SECRETS} file")
    if not HOOKS.exists():
        HOOKS.mkdir(parents=True)
        for sample in sorted((TEMPLATES / "hooks").iterdir()):
            hook = HOOKS / sample.name
            shutil.copyfile(sample, hook)
            hook.chmod(0o755)  # wheels do not keep the executable bit
        say(f"Created sample hooks in {HOOKS}")
    return 0


def _copied(template: str, target: Path) -> bool:
    """Whether the file was not there yet."""
    text = (TEMPLATES / template).read_text()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("x") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
