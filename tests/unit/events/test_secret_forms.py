"""The forms of a secret that are found in output."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import subprocess
import urllib.parse
from collections.abc import Callable
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykamal.core.sensitive import REDACTED, Sensitive
from pykamal.events.secret_forms import SecretForms, StreamMasker

pytestmark = pytest.mark.unit

SECRET = 'it\'s a "p&ss" /$word\\~ é+=<%>*x'
BODY = "".join(f"{number:02}/+{'kEy' * 20}\n" for number in range(12))
LINES = f"-----BEGIN KEY-----\n{BODY}-----END KEY-----\n"


def wrapped(encoded: bytes, width: int) -> str:
    text = encoded.decode()
    return "\n".join(text[start : start + width] for start in range(0, len(text), width))


ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "URL path": urllib.parse.quote,
    "URL, lower case": lambda text: re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(text, safe="")),
    "form": urllib.parse.quote_plus,
    "encodeURIComponent": lambda text: urllib.parse.quote(text, safe="!'()*~"),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON of Go": lambda text: (
        json.dumps(text, ensure_ascii=False)[1:-1]
        .replace("&", "\\u0026")
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
    ),
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "HTML": html.escape,
    "HTML of Rails": lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    "HTML of Go": lambda text: html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    "HTML of a text": lambda text: html.escape(text, quote=False),
    "Python's shell quotes": lambda text: shlex.quote(text)[1:-1],
    "set -x": lambda text: text.replace("'", "'\\''"),
    "YAML": lambda text: text.replace("'", "''"),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_written_forms(name: str) -> None:
    """As URLs, forms, JSON, HTML, shells and YAML write it."""
    text = ENCODERS[name](SECRET)
    assert SecretForms([Sensitive(SECRET)]).mask(f"a={text};") == f"a={REDACTED};"


@pytest.mark.process
@pytest.mark.parametrize("line", ['printf %q "$S"', 'echo "${S@Q}"', "set | grep ^S=", "declare -p S"])
def test_forms_of_a_real_shell(line: str) -> None:
    """Every form in which bash prints a variable is masked."""
    secret = 'it\'s a $word `x` \\ "q" & more'
    ran = subprocess.run(["bash", "-c", line], env={"S": secret}, capture_output=True, text=True, check=True)
    masked = SecretForms([Sensitive(secret)]).mask(ran.stdout)
    assert REDACTED in masked
    assert "word" not in masked


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_wherever_it_begins(before: str, encode: Callable[[bytes], bytes]) -> None:
    """The three ways in which a text falls into groups of three bytes, in both alphabets."""
    text = encode(f"{before}{SECRET} and more".encode()).decode()
    masked = SecretForms([Sensitive(SECRET)]).mask(text)
    assert REDACTED in masked
    kept = masked.split(REDACTED)
    assert all(len(part) < len(before) + 12 + 12 for part in kept)


@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize("before", [0, 1, 50, 99])
def test_base64_in_lines(width: int, before: int) -> None:
    """`env | base64` breaks its lines wherever they are full, in the middle of a secret too."""
    text = wrapped(base64.b64encode(b"x" * before + LINES.encode() + b"and more" * 9), width)
    masked = SecretForms([Sensitive(LINES)]).mask(text)
    assert REDACTED in masked
    assert base64.b64encode(b"kEykEykEykEykEy").decode() not in masked.replace("\n", "")


def test_lines_of_a_secret() -> None:
    """Each counts on its own, indented and with carriage returns too; the boundaries of PEM and short lines do not."""
    forms = SecretForms([Sensitive(f"{LINES}short\n")])
    indented = LINES.replace("\n", "\r\n    ")
    masked = forms.mask(indented)
    assert masked.count(REDACTED) == 12
    assert "-----BEGIN KEY-----" in masked
    assert forms.mask("short") == "short"


SOME = [SECRET, LINES, "abcabcabc", "cabcab-tail", "hunter2hunter2"]
FRAGMENTS = st.sampled_from(
    [
        *SOME,
        *(encode(SECRET) for encode in ENCODERS.values()),
        base64.b64encode(LINES.encode()).decode(),
        base64.encodebytes(f"x{LINES}".encode()).decode(),
        wrapped(base64.b64encode(f"ab{LINES}hunter2hunter2".encode()), 64),
        "abc",
        "it's",
        "hunter2",
        "\n",
        " ",
        "x",
    ]
)


@settings(deadline=None, max_examples=50)
@given(st.lists(FRAGMENTS, max_size=6).map("".join), st.lists(st.integers(1, 90), min_size=1, max_size=5))
def test_pieces_make_no_difference(text: str, sizes: list[int]) -> None:
    """Output that is cut anywhere shows no more of a secret than output that comes at once, and all the rest."""
    forms = SecretForms(map(Sensitive, SOME))
    masker = StreamMasker()
    out, start = "", 0
    for size in cycle(sizes):
        if start >= len(text):
            break
        out += masker.feed(text[start : start + size], forms)
        start += size
    out += masker.flush(forms)
    expected = forms.mask(text)
    assert out.replace(REDACTED, "") == expected.replace(REDACTED, "")
    assert (REDACTED in out) == (REDACTED in expected)


def test_what_is_held_back_is_bounded() -> None:
    """Output that looks like the beginning of secrets for ever is given out all the same."""
    forms = SecretForms(map(Sensitive, ["abcdef", "efabcd"]))
    masker = StreamMasker()
    given = sum(len(masker.feed("abcdef", forms)) for _ in range(1000))
    assert given > 0
    assert len(masker.flush(forms)) < 200
