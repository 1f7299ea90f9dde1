"""The plain values that YAML can hold and that end up in flags."""

from __future__ import annotations

from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
OptionValue: TypeAlias = Scalar | tuple[Scalar, ...]
