"""The formats of well-known keys and tokens, which are recognised without knowing a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 8192
"""Bytes of the longest match of a format."""

_DISTINCT: Final = 6
"""Different bytes that a key has at least: `ghp_xxxxxxxx` is a placeholder."""

# A token begins a word, or follows an escape of JSON (`\n`) or of a URL (`%3A`).
_BEGIN: Final = rb"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))"
_PEM_HEADER: Final = rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_BREAK: Final = rb"(?:\\[nr]|[\s\"'+,>|]){1,80}+"  # possessive, so that no text takes more than linear time
_PEM_BODY: Final = rb"(?:[A-Za-z-]{1,30}: [ -\[\]-~]{1,100}+" + _BREAK + rb"){0,4}[A-Za-z0-9+/]{40}"


@dataclass(frozen=True, slots=True)
class KeyFormat:
    """A kind of key. Each match begins with one of `literals`. `certain` is False where the kind has harmless uses."""

    name: str
    literals: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    certain: bool = True

    def matches(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield the places of keys. The time is linear: a pattern is only tried where a literal stands."""
        for literal in self.literals:
            start = data.find(literal)
            while start >= 0:
                found = self.pattern.match(data, start)
                if found is not None and len(set(found[0][len(literal) :])) >= _DISTINCT and b"EXAMPLE" not in found[0]:
                    yield found.span()
                start = data.find(literal, start + len(literal))


def _token(name: str, literals: str, rest: str, *, end: str = "", certain: bool = True) -> KeyFormat:
    words = tuple(literal.encode() for literal in literals.split())
    beginnings = b"|".join(map(re.escape, words))
    return KeyFormat(
        name, words, re.compile(_BEGIN + b"(?:" + beginnings + b")" + rest.encode() + end.encode()), certain
    )


FORMATS: Final = (
    KeyFormat(
        "a private key",
        (b"-----BEGIN ",),
        re.compile(rb"(?<!\"private_key\": \")(?<!\"private_key\":\")" + _PEM_HEADER + _BREAK + _PEM_BODY),
    ),
    KeyFormat(
        "the key of a Google service account",
        (b'"private_key"',),
        re.compile(rb'"private_key"\s{0,8}:\s{0,8}"' + _PEM_HEADER + _BREAK + _PEM_BODY),
    ),
    _token("an age secret key", "AGE-SECRET-KEY-1", "[02-9AC-HJ-NP-Z]{58}"),
    _token("an AWS access key", "AKIA ASIA", "[A-Z2-7]{16}", end="(?![A-Z0-9])"),
    _token("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", "[A-Za-z0-9]{36,255}"),
    _token("a GitHub token", "github_pat_", "[A-Za-z0-9_]{40,255}"),
    _token("a GitLab token", "glpat- gldt- glrt- glcbt- glptt-", "[A-Za-z0-9_-]{20,255}"),
    _token("a Slack token", "xoxa- xoxb- xoxe- xoxp- xoxr- xoxs-", "[0-9A-Za-z-]{20,255}"),
    _token(
        "a Slack webhook", "https://hooks.slack.com/services/T", "[A-Z0-9]{6,14}/B[A-Z0-9]{6,14}/[A-Za-z0-9]{20,40}"
    ),
    _token("a Stripe key", "sk_live_ rk_live_", "[A-Za-z0-9]{16,255}"),
    _token("a Google API key", "AIza", "[A-Za-z0-9_-]{35}", end="(?![A-Za-z0-9_-])"),
    _token("an npm token", "npm_", "[A-Za-z0-9]{36}", end="(?![A-Za-z0-9])"),
    _token("a PyPI token", "pypi-", "[A-Za-z0-9_-]{50,1000}"),
    _token("a SendGrid key", "SG.", r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _token("a Twilio key", "SK", "[0-9a-f]{32}", end="(?![0-9A-Za-z])"),
    _token("a Vault token", "hvs. hvb. hvr.", "[A-Za-z0-9_-]{24,500}"),
    _token("a Doppler token", "dp.st. dp.pt. dp.ct. dp.sa. dp.scim.", r"(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}"),
    _token("a Docker Hub token", "dckr_pat_ dckr_oat_", "[A-Za-z0-9_-]{27,100}"),
    _token("a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", "[a-f0-9]{64}"),
    _token(
        "a JSON web token",
        "eyJ",
        r"[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}",
        certain=False,
    ),
)
