"""How fast a deploy rolls over hosts, and how connections are opened (spec/config.md 11 and 12)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Boot:
    """`limit` is a number of hosts or a percentage text such as `25%`; `wait` is in seconds."""

    limit: int | str | None = None
    wait: int | None = None
    parallel_roles: bool = False

    def group_size(self, all_hosts: int) -> int | None:
        """Hosts that boot at once, or None for all. Percentages count every host, rounded down, at least 1."""
        if self.limit is None:
            return None
        text = str(self.limit).strip()
        if text.endswith("%"):
            return max(1, all_hosts * int(text[:-1]) // 100)
        return max(1, int(text))


@dataclass(frozen=True, slots=True)
class Sshkit:
    """`pool_idle_timeout` is in seconds."""

    max_concurrent_starts: int = 30
    pool_idle_timeout: int = 900
    dns_retries: int = 3
