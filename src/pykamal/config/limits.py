"""Limits of a configuration. A file beyond one of them is refused, with an error that names the limit."""

from typing import Final

MAXIMUM_FILE_BYTES: Final = 1024 * 1024
"""Of a file, and of the text that its template renders to."""

MAXIMUM_DEPTH: Final = 60
"""Mappings and lists inside each other."""

MAXIMUM_NODES: Final = 50_000
"""Keys, values and containers, aliases expanded."""
