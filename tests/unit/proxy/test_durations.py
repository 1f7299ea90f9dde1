"""Durations of the proxy's command line and state file (spec/proxy.md 3.1 and 3.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.proxy.contract import SECOND
from pykamal.proxy.durations import format_duration, parse_duration

pytestmark = pytest.mark.unit

HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("300ms", 300_000_000),
        ("1.5s", 1_500_000_000),
        ("2m", 120 * SECOND),
        ("1h30m", HOUR + 1800 * SECOND),
        (".5s", 500_000_000),
        ("1m0.25s", 60_250_000_000),
        ("7µs", 7000),
        ("-2s", -2 * SECOND),
        ("+1.s", SECOND),
        ("2562047h47m16.854775807s", 2**63 - 1),
        ("-9223372036854775808ns", -(2**63)),
    ],
)
def test_a_duration_is_a_sum_of_numbers_with_units(text: str, nanoseconds: int) -> None:
    """3.1: units are required, `0` alone is accepted."""
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10", 'time: missing unit in duration "10"'),
        ("", 'time: invalid duration ""'),
        ("s", 'time: invalid duration "s"'),
        ("5 s", 'time: unknown unit " s" in duration "5 s"'),
        ("1s-5s", 'time: unknown unit "s-" in duration "1s-5s"'),
        ("1s\n", r'time: unknown unit "s\n" in duration "1s\n"'),
        (".s", 'time: invalid duration ".s"'),
        ("-", 'time: invalid duration "-"'),
        ("٣s", 'time: invalid duration "٣s"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1s5", 'time: missing unit in duration "1s5"'),
        ("2562048h", 'time: invalid duration "2562048h"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
    ],
)
def test_other_texts_are_refused_with_a_reason(text: str, reason: str) -> None:
    """3.1: the reason follows the flag's name in the error."""
    with pytest.raises(ValueError, match="time:") as caught:
        parse_duration(text)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (30 * SECOND, "30s"),
        (1_500_000_000, "1.5s"),
        (120 * SECOND, "2m0s"),
        (300_000_000, "300ms"),
        (1_500, "1.5µs"),
        (0, "0s"),
        (HOUR, "1h0m0s"),
        (HOUR + 61_500_000_000, "1h1m1.5s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(nanoseconds: int, text: str) -> None:
    """3.3: the message of a deploy that timed out."""
    assert format_duration(nanoseconds) == text


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_what_is_written_can_be_read(nanoseconds: int) -> None:
    """To the nanosecond, as the state file keeps them."""
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds
