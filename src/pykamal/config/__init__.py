"""deploy.yml in, immutable models out. Pure: files, back-ticks and the environment are handed in by the caller."""

from pykamal.config.load import DEFAULT_PATH, load, load_document

__all__ = ["DEFAULT_PATH", "load", "load_document"]
