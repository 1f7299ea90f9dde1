"""Settings of the pace of a deploy, and of opening connections (spec/config.md 11 and 12)."""

from __future__ import annotations

from dataclasses import dataclass

from pykamal.core.catalogue.settings import UNUSABLE_VALUE
from pykamal.core.diagnostics import Location
from pykamal.core.errors import configuration_error


@dataclass(frozen=True, slots=True)
class Boot:
    """`limit` is a number of hosts or a percentage text such as `25%`; `wait` is in seconds."""

    limit: int | str | None = None
    wait: int | None = None
    parallel_roles: bool = False

    def group_size(self, all_hosts: int) -> int | None:
        """Hosts that boot at once, or None for all. Percentages count every host, rounded down, at least 1.

        Raises ConfigurationError for a limit that is neither, which loading only warns about.
        """
        if self.limit is None:
            return None
        text = str(self.limit).strip()
        digits = text.removesuffix("%").rstrip()
        if not digits.isdecimal():
            raise configuration_error(
                UNUSABLE_VALUE,
                f"boot/limit: {text} is neither a number of hosts nor a percentage",
                Location(setting="boot/limit"),
                hint="Write a number such as 10, or a percentage such as 25%.",
            )
        return max(1, all_hosts * int(digits) // 100 if text.endswith("%") else int(digits))


@dataclass(frozen=True, slots=True)
class Sshkit:
    """`pool_idle_timeout` is in seconds."""

    max_concurrent_starts: int = 30
    pool_idle_timeout: int = 900
    dns_retries: int = 3
