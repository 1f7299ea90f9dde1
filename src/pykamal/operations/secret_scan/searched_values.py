"""Decides which values of secrets are searched for. A value that stands everywhere would be found everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pykamal.config.models import Config
from pykamal.core.sensitive import Sensitive

SHORTEST: Final = 8
"""Characters. Shorter values stand in many files by chance."""

_LONGEST_WORD: Final = 11
_WORD: Final = re.compile(rf"[A-Za-z]{{1,{_LONGEST_WORD}}}|[0-9.:-]{{1,{_LONGEST_WORD}}}")
_DISTINCT: Final = 4


@dataclass(frozen=True, slots=True)
class SearchedValues:
    """The values to search for by name, and the reasons for which others are not."""

    values: Mapping[str, Sensitive]
    left_out: Mapping[str, str]


def searched_values(config: Config, secrets: Mapping[str, Sensitive], literal: Iterable[Sensitive]) -> SearchedValues:
    """Choose among the values of secrets and those that stand in deploy.yml itself."""
    shown = _shown_in_clear(config)
    values: dict[str, Sensitive] = {}
    left_out: dict[str, str] = {}
    for name, value in secrets.items():
        reason = _reason_against(value.reveal(), shown)
        if reason is None:
            values[name] = value
        elif value:
            left_out[name] = reason
    known = set(values.values())
    for number, value in enumerate((each for each in literal if each not in known), start=1):
        if _reason_against(value.reveal(), shown) is None:
            values[f"password {number} of deploy.yml"] = value
    return SearchedValues(values, left_out)


def _reason_against(value: str, shown: frozenset[str]) -> str | None:
    text = value.strip()
    if len(text) < SHORTEST:
        return f"it has fewer than {SHORTEST} characters"
    if text in shown:
        return "deploy.yml shows the same text in clear"
    if "CERTIFICATE-----" in text and "PRIVATE KEY-----" not in text:
        return "it is a certificate, which is public"
    if _WORD.fullmatch(text) or len(set(text)) < _DISTINCT:
        return "it is a plain word or number"
    return None


def _shown_in_clear(config: Config) -> frozenset[str]:
    """The names of deploy.yml that are no secrets."""
    registry = config.registry
    username = registry.username.literal if registry.username is not None else None
    names = {config.service, config.image, config.repository, registry.server, username, config.ssh.user}
    names |= {config.destination, *(role.name for role in config.roles)}
    names |= {host for role in config.roles for host in role.host_names}
    names |= {each for accessory in config.accessories for each in (accessory.name, accessory.image)}
    return frozenset(name for name in names if name)
