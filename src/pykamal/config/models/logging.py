"""Log driver of containers (spec/config.md 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pykamal.config.models.plain_values import Scalar


@dataclass(frozen=True, slots=True)
class Logging:
    driver: Scalar = None
    options: Mapping[str, Scalar] = field(default_factory=dict)
