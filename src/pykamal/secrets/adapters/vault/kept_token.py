"""The token that `vault login` kept: in `~/.vault-token`, or with a token helper."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pykamal.core.sensitive import Sensitive
from pykamal.secrets.credentials import hidden

_HELPER: Final = re.compile(r"^\s*\"?token_helper\"?\s*[=:]\s*\"([^\"\n]+)\"", re.MULTILINE)
_CONFIGURATIONS: Final = ("BAO_CONFIG_PATH", "VAULT_CONFIG_PATH")


@dataclass(frozen=True, slots=True)
class KeptToken:
    value: Sensitive
    source: str


def kept_token(address: str, environment: Mapping[str, str]) -> KeptToken | None:
    """Return the token of the last `vault login` on this machine; None where there is none.

    A token helper takes the place of the file, as it does for the `vault` program.
    """
    named = next((environment[name] for name in _CONFIGURATIONS if environment.get(name)), None)
    configuration = Path(named) if named else Path.home() / ".vault"
    helper = _HELPER.search(_text(configuration))
    if helper is not None:
        token = _from_helper(helper[1], configuration, address)
        return KeptToken(token, f"the token helper {helper[1]}") if token else None
    kept = _text(Path.home() / ".vault-token").strip()
    return KeptToken(hidden(kept), "~/.vault-token") if kept else None


def _from_helper(program: str, configuration: Path, address: str) -> Sensitive:
    from pykamal.secrets.adapters.tool import Tool  # which takes long to import, and few have a helper

    helper = Tool(program, f"The token helper {program} of Vault", f"{configuration} names it")
    answer = helper.run("get", environment={"VAULT_ADDR": address})
    answer.expect(f"The token helper {program} of Vault failed", hint=f"run `{program} get` to see what it says")
    return hidden(answer.text().reveal())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
