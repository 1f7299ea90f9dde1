"""How much configuration is still configuration. Beyond each limit the file is refused with an error of its own."""

from typing import Final

MAXIMUM_FILE_BYTES: Final = 1024 * 1024
"""Of a file, and of the text that its template renders to."""

MAXIMUM_DEPTH: Final = 60
"""Mappings and lists inside each other."""

MAXIMUM_NODES: Final = 50_000
"""Keys, values and containers, aliases expanded."""
