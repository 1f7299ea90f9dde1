"""Ruby's hierarchy of exception classes, for `rescue` and `is_a?`."""

from __future__ import annotations

from typing import Final

from pykamal.erb.word_lists import words

_BELOW: Final = {
    "Exception": "ScriptError SecurityError SignalException StandardError SystemExit SystemStackError NoMemoryError",
    "ScriptError": "LoadError NotImplementedError SyntaxError",
    "SignalException": "Interrupt",
    "StandardError": "ArgumentError EncodingError FiberError IOError IndexError LocalJumpError NameError RangeError "
    "RegexpError RuntimeError ThreadError TypeError ZeroDivisionError SystemCallError Math::DomainError "
    "NoMatchingPatternError JSON::JSONError Psych::Exception SocketError URI::Error",
    "ArgumentError": "Date::Error UncaughtThrowError Gem::Requirement::BadRequirementError IPAddr::Error",
    "IOError": "EOFError",
    "IndexError": "KeyError StopIteration",
    "NameError": "NoMethodError",
    "RangeError": "FloatDomainError",
    "RuntimeError": "FrozenError Timeout::Error Gem::Exception",
    "SystemCallError": "Errno::ENOENT Errno::EACCES Errno::EISDIR Errno::ENOTDIR Errno::EEXIST Errno::EINVAL "
    "Errno::EPERM Errno::ECONNREFUSED Errno::ETIMEDOUT Errno::EPIPE Errno::ECHILD",
    "JSON::JSONError": "JSON::ParserError JSON::GeneratorError",
    "JSON::ParserError": "JSON::NestingError",
    "Psych::Exception": "Psych::SyntaxError Psych::BadAlias Psych::DisallowedClass",
    "URI::Error": "URI::InvalidURIError URI::BadURIError",
    "NoMatchingPatternError": "NoMatchingPatternKeyError",
}
_PARENTS: Final = {name: parent for parent, names in _BELOW.items() for name in names.split()}


def is_exception(name: str) -> bool:
    return name == "Exception" or name in _PARENTS


def ancestors(name: str) -> tuple[str, ...]:
    """Return the class and its ancestors. An unknown class is a StandardError."""
    found = [name]
    while found[-1] != "Exception":
        found.append(_PARENTS.get(found[-1], "StandardError"))
    return tuple(found)


def catches(wanted: str, raised: str) -> bool:
    return wanted in ancestors(raised)


_MODULES: Final = {
    "Integer": ("Numeric", "Comparable"),
    "Float": ("Numeric", "Comparable"),
    "String": ("Comparable",),
    "Array": ("Enumerable",),
    "Hash": ("Enumerable",),
    "Range": ("Enumerable",),
    "Time": ("Comparable",),
    "Date": ("Comparable",),
    "Gem::Version": ("Comparable",),
}
CLASSES: Final = frozenset(
    [
        *_MODULES,
        *(each for modules in _MODULES.values() for each in modules),
        *words("NilClass TrueClass FalseClass Symbol Regexp MatchData Proc Object BasicObject Kernel Class"),
    ]
)


def is_kind(kind: str, wanted: str) -> bool:
    """Return True where a value of a class is one of another class or module, like `is_a?`."""
    if wanted in ("Object", "BasicObject", "Kernel") or kind == wanted or wanted in _MODULES.get(kind, ()):
        return True
    return is_exception(kind) and wanted in ancestors(kind)
