"""Ruby's libraries, one module each, imported when a template uses one of its constants."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from pykamal.erb.word_lists import words

LIBRARIES: Final = frozenset(
    words(
        "dotenv dotenv/load json yaml psych erb uri date time shellwords open3 base64 cgi cgi/util cgi/escape "
        "digest digest/sha2 securerandom socket etc set pathname ostruct bundler/setup rubygems tempfile "
        "fileutils active_support active_support/core_ext/object/blank active_support/core_ext/hash/keys "
        "active_support/core_ext/string/inflections active_support/core_ext/enumerable English"
    )
)
"""Libraries that need no `require`; to require them does nothing."""

_MODULES: Final = {
    "JSON": "data",
    "SecureRandom": "random_values",
    "Base64": "encodings",
    "CGI": "encodings",
    "ERB::Util": "encodings",
    "Shellwords": "encodings",
    "Digest::MD5": "encodings",
    "Digest::SHA1": "encodings",
    "Digest::SHA256": "encodings",
    "Digest::SHA384": "encodings",
    "Digest::SHA512": "encodings",
    "Hash": "classes",
    "Array": "classes",
    "String": "classes",
    "Set": "classes",
    "Regexp": "classes",
    "Time": "times",
    "Date": "times",
    "URI": "uris",
    "Gem::Version": "gems",
}
Functions = dict[tuple[str, str], Callable[..., Any]]


def is_known(constant: str) -> bool:
    return constant in _MODULES


def function(constant: str, name: str) -> Callable[..., Any] | None:
    """Return the function of a constant, None where no library has it."""
    return _functions(_MODULES[constant]).get((constant, name)) if constant in _MODULES else None


def _functions(module: str) -> Functions:
    functions: Functions = import_module(f"{__name__}.{module}").FUNCTIONS
    return functions


def all_functions() -> Functions:
    """Return the functions of all libraries, for the documentation."""
    return {name: function for module in set(_MODULES.values()) for name, function in _functions(module).items()}
