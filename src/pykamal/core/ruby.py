"""Ruby's values that YAML and templates share: symbols, and how Ruby prints a float."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Symbol:
    """A Ruby symbol, written `:name` in YAML. Passes wherever a string does and prints without the colon in flags."""

    name: str

    def __str__(self) -> str:
        return self.name


def ruby_float(value: float) -> str:
    """Python's shortest form with Ruby's `.0` before an exponent, which Ruby writes from 1.0e+15 on."""
    if value != value:  # noqa: PLR0124 - the one value that differs from itself is NaN
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if 1e15 <= abs(value) < 1e16:
        digits = f"{abs(value):.0f}"
        sign = "-" if value < 0 else ""
        return f"{sign}{digits[0]}.{digits[1:].rstrip('0') or '0'}e+15"
    text = repr(value)
    mantissa, exponent_mark, exponent = text.partition("e")
    if exponent_mark and "." not in mantissa:
        return f"{mantissa}.0e{exponent}"
    return text
