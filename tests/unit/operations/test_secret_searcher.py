"""The search of a stream for values of secrets and well-known keys."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykamal.core.sensitive import Sensitive
from pykamal.operations.secret_scan.formats import FORMATS
from pykamal.operations.secret_scan.searcher import Hit, Searcher

pytestmark = pytest.mark.unit

BLOCK = 512
"""Small blocks, so that ends of blocks are met."""

ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "base64": lambda value: base64.b64encode(value.encode()),
    "base64, one byte before": lambda value: base64.b64encode(b"u" + value.encode()),
    "base64, two bytes before": lambda value: base64.b64encode(b"u:" + value.encode() + b"\n"),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()),
    "base64 in lines": lambda value: base64.encodebytes(b"login: " * 20 + value.encode()),
    "URL": lambda value: quote(value, safe="").encode(),
    "JSON": lambda value: json.dumps({"password": value}).encode(),
    "hexadecimal": lambda value: value.encode().hex().encode(),
    "hexadecimal in upper case": lambda value: value.encode().hex().upper().encode(),
}
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("Cc", "Zs")), min_size=8)
FILLING = st.sampled_from([b"\0\xff\x80", b"some words\n", b"QUJD", b"\n", b"a" * 76 + b"\n"])


def found(data: bytes, values: dict[str, str], block: int = BLOCK) -> list[Hit]:
    searcher = Searcher({name: Sensitive(value) for name, value in values.items()}, block=block)
    return list(searcher.search(io.BytesIO(data).read))


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from(sorted(ENCODINGS)), FILLING, st.integers(0, 20_000))
def test_a_value_is_found_wherever_it_stands(value: str, encoding: str, filling: bytes, before: int) -> None:
    """In each encoding, at each place of a block and across its end, among text and bytes that are no text."""
    padding = (filling * (before // len(filling) + 1))[:before]
    data = padding + b"\n=" + ENCODINGS[encoding](value) + b"=\n" + filling * 10_000
    assert [hit for hit in found(data, {"NAME": value}) if hit.secret == "NAME"]


@pytest.mark.parametrize("at", [0, BLOCK - 3, 12_000, 13_311, 13_312, 13_313, 14_000, 30_000])
def test_the_place_is_that_of_the_first_character(at: int) -> None:
    """Line and column count from 1, and columns count characters; the offset counts bytes."""
    before = ("é\n" * at).encode()
    (hit,) = found(before + "ñ: s3cret-value\n".encode(), {"NAME": "s3cret-value"})
    assert (hit.line, hit.column, hit.offset) == (at + 1, 4, len(before) + 4)


def test_each_value_is_found_among_many() -> None:
    """Fifty values at once, each told by its name, once a line."""
    values = {f"NAME_{number}": f"value-{number:02d}-{number * 7919:x}" for number in range(50)}
    data = b"".join(f"{value} {value}\n".encode() for value in values.values())
    assert [(hit.secret, hit.line) for hit in found(data, values)] == [
        (name, line) for line, name in enumerate(values, start=1)
    ]


def test_a_value_of_several_lines_is_found_indented() -> None:
    """A private key in YAML has its lines indented."""
    lines = ["-----BEGIN KEY-----", "MIIB" + "q7Zx" * 15, "MIIB" + "w9Ty" * 15, "-----END KEY-----"]
    data = b"key: |\n" + b"".join(f"    {line}\r\n".encode() for line in lines)
    (hit,) = found(data, {"KEY": "\n".join(lines)})
    assert (hit.secret, hit.line) == ("KEY", 4)


def test_the_comment_of_the_line_waives() -> None:
    """With a reason, in the same line alone."""
    data = b"a s3cret-value # kamal: allow-secret\nb s3cret-value # kamal: allow-secret a test value\ns3cret-value\n"
    assert [hit.waiver for hit in found(data, {"NAME": "s3cret-value"})] == [None, "a test value", None]


_BODY = "q7ZxW2eR4tY6uI8oP0aS1dF3gH5jK7lZ9xC2vB4nM6Qw8Er0Ty3Ui5Op7As9Df1Gh"
KEYS = {
    "a private key": f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\n{_BODY}\n",
    "the key of a Google service account": json.dumps({"private_key": f"-----BEGIN PRIVATE KEY-----\n{_BODY}\n"}),
    "an age secret key": "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE",
    "an AWS access key": "AKIA" + "Q7ZXW2ER4TY6UIOP",
    "a GitHub token": "ghp_" + _BODY[:36],
    "a GitLab token": "glpat-" + _BODY[:20],
    "a Slack token": "xoxb-" + "123456789012-1234567890123-" + _BODY[:24],
    "a Slack webhook": "https://hooks.slack.com/services/T" + "ABCDEFGH/BABCDEFGH/" + _BODY[:24],
    "a Stripe key": "sk_live_" + _BODY[:24],
    "a Google API key": "AIza" + _BODY[:35],
    "an npm token": "npm_" + _BODY[:36],
    "a PyPI token": "pypi-" + _BODY,
    "a SendGrid key": f"SG.{_BODY[:22]}.{_BODY[:43]}",
    "a Twilio key": "SK" + "0123456789abcdef" * 2,
    "a Vault token": "hvs." + _BODY[:30],
    "a Doppler token": "dp.st.prd." + _BODY[:43],
    "a Docker Hub token": "dckr_pat_" + _BODY[:27],
    "a DigitalOcean token": "dop_v1_" + "0123456789abcdef" * 4,
    "a JSON web token": f"eyJ{_BODY[:20]}.eyJ{_BODY[:40]}.{_BODY[:43]}",
}


def test_every_format_has_a_sample() -> None:
    """No format goes untested."""
    assert {each.name for each in FORMATS} == set(KEYS)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("frame", ["{}", "token = '{}'", "x\\n{}", "a%3A{}", "\0\xff{}\0"])
def test_a_well_known_key_is_found(name: str, frame: str) -> None:
    """By its format alone, in code, in an escape of JSON or a URL, among bytes; at the end of a block too."""
    for before in (0, BLOCK - 5, 12_800):
        data = b"." * before + frame.encode().replace(b"{}", KEYS[name].encode())
        assert name in {hit.key.name for hit in found(data, {}) if hit.key is not None}


@pytest.mark.parametrize(
    "text",
    [
        "ghp_" + "x" * 36,
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + _BODY,
        "TASK0123456789abcdef0123456789abcdef",
        "sk_test_" + _BODY[:24],
    ],
)
def test_what_only_looks_like_a_key_is_none(text: str) -> None:
    """Placeholders, public keys, headers without a key, parts of other words."""
    assert found(text.encode(), {}) == []


HOSTILE = [
    b"-----BEGIN PRIVATE KEY-----\n" + b"a: b \n" * 4,
    b"-----BEGIN ",
    b"eyJ",
    b".eyJ",
    b"ghp_",
    b"%41ghp_aaaaaaa",
    b'"private_key"        ',
    b"-----BEGIN PRIVATE KEY-----" + b" " * 79,
    b"s3cret-valu",
    b"s3cret-value",
    b"\n",
    b"a" * 76 + b"\n",
    b"SK",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_the_time_is_linear(unit: bytes) -> None:
    """Eight times the data takes about eight times as long, whatever is repeated in it: far from its square."""

    def seconds(size: int) -> float:
        data = (unit * (size // len(unit) + 1))[:size]
        taken = []
        for _ in range(3):
            started = time.process_time()
            found(data, {"NAME": "s3cret-value"}, block=1 << 20)
            taken.append(time.process_time() - started)
        return min(taken)

    assert seconds(4 << 20) < 30 * seconds(1 << 19) + 0.05
