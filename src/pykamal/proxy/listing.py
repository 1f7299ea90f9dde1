"""The table that `list` prints (spec/proxy.md 3.5)."""

from __future__ import annotations

from collections.abc import Iterable

from pykamal.proxy.services import Service

_COLUMNS = ("Service", "Host", "Path", "Target", "State", "TLS")
_HEADER, _FIRST, _OTHER, _RESET = "\x1b[3;94m", "\x1b[1;34m", "\x1b[m", "\x1b[0m"


def table(services: Iterable[tuple[Service, bool]]) -> str:
    """One line per service and its effective TLS flag, sorted by name, under the column titles."""
    rows = [_row(service, tls) for service, tls in sorted(services, key=lambda entry: entry[0].name)]
    widths = [max(len(row[column]) for row in [_COLUMNS, *rows]) for column in range(len(_COLUMNS))]
    lines = ["".join(_cell(text, width, _HEADER) for text, width in zip(_COLUMNS, widths, strict=True))]
    for row in rows:
        styles = [_FIRST] + [_OTHER] * (len(row) - 1)
        cells = zip(row, widths, styles, strict=True)
        lines.append("".join(_cell(text, width, style) for text, width, style in cells))
    return "\n".join(lines) + "\n"


def _row(service: Service, tls: bool) -> tuple[str, ...]:
    return (
        service.name,
        ",".join(service.options.hosts) or "*",
        ",".join(service.options.path_prefixes),
        ",".join(service.active.names),
        service.pause.state,
        "yes" if tls else "no",
    )


def _cell(text: str, width: int, style: str) -> str:
    return f"{style}{text}{_RESET}{' ' * (width - len(text) + 2)}"
