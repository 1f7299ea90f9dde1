"""Diagnostics of the search for leaked secrets."""

from __future__ import annotations

from typing import Final

from pykamal.core.diagnostics import Rule, Severity

LEAKED_SECRET: Final = Rule(
    "leaked-secret",
    "The value of a secret stands in a file, in the history or in an image",
    "`kamal secrets scan` searches for the values of all secrets, as they are and in base64, URLs, JSON, quotes and "
    "hexadecimal digits. The value itself is never shown.",
    "Give the secret a new value, since whoever has the repository or the image has this one. Then take it out: name "
    "the secret in deploy.yml, and use `RUN --mount=type=secret` in a Dockerfile. What is harmless is waived with "
    "`# kamal: allow-secret REASON` in its line, or in .kamal/scan-ignore.",
    "config/settings.yml:3:11: the value of DATABASE_URL stands here, in base64",
)

LEAKED_KEY: Final = Rule(
    "leaked-key",
    "A well-known kind of key stands in a file, in the history or in an image",
    "Private keys and the tokens of many services are recognised by their format, whether they are secrets of "
    "deploy.yml or not.",
    "Revoke the key where it was issued, and make a new one that stays out of the repository and the image. What is "
    "harmless, such as a key of tests, is waived with `# kamal: allow-secret REASON` in its line, or in "
    ".kamal/scan-ignore.",
    "lib/upload.rb:12:9: an AWS access key stands here",
)

POSSIBLE_TOKEN: Final = Rule(
    "possible-token",
    "Something that may be a token stands in a file, in the history or in an image",
    "The format has harmless uses too: many JSON web tokens have expired, or stand in examples.",
    "See what it is. What is harmless is waived with `# kamal: allow-secret REASON` in its line, or in "
    ".kamal/scan-ignore.",
    "docs/api.md:40:24: a JSON web token stands here",
    Severity.WARNING,
)

NOT_EXAMINED: Final = Rule(
    "not-examined",
    "Something could not be searched for secrets",
    "It is too large, cannot be read, or is not there. What was not searched has not passed: the exit code of "
    "`kamal secrets scan` is then 4, and `x-pykamal/secrets/guard` refuses to deploy.",
    "Remove the reason, or accept it with a line of .kamal/scan-ignore: `PLACE not-examined REASON`.",
    "dump.sql: not searched: it has more than 1024 MB",
    Severity.WARNING,
)

NOT_SEARCHED_FOR: Final = Rule(
    "not-searched-for",
    "The value of a secret is not searched for",
    "Short values, plain words and what deploy.yml shows in clear stand in many places that have nothing to do with "
    "the secret.",
    "Nothing, where the value is none to hide. Else give the secret a longer value.",
    "DB_USER is not searched for: it has fewer than 8 characters",
    Severity.NOTE,
)

UNUSED_WAIVER: Final = Rule(
    "unused-waiver",
    "A line of .kamal/scan-ignore waives nothing",
    "A line has a place, a rule or the name of a secret, and a reason. A line that lacks one of them is ignored.",
    "Write `PLACE RULE REASON`, as in `test/keys/*.pem leaked-key keys of the test suite`.",
    ".kamal/scan-ignore:2:1: this line has no reason, so it waives nothing",
    Severity.WARNING,
)
