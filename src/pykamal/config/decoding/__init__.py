"""Valid documents into models: one module a section, merging what roles take from the root."""

from pykamal.config.decoding.service import build_config

__all__ = ["build_config"]
