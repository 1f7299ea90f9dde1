"""Ruby's Time and Date."""

from __future__ import annotations

import re
import time
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, ClassVar, Final

from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.values import Method, in_message, is_number, text
from pykamal.erb.word_lists import words

_DIRECTIVE: Final = re.compile(r"%([-0^#_:]*)(\d{0,3})([a-zA-Z%+])")
_MONTHS: Final = words("January February March April May June July August September October November December")
_DAYS: Final = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
_COMPOSED: Final = {
    "F": "%Y-%m-%d",
    "T": "%H:%M:%S",
    "X": "%H:%M:%S",
    "R": "%H:%M",
    "r": "%I:%M:%S %p",
    "D": "%m/%d/%y",
    "x": "%m/%d/%y",
    "c": "%a %b %e %H:%M:%S %Y",
    "v": "%e-%^b-%Y",
    "+": "%a %b %e %H:%M:%S %Z %Y",
}


class _Ordered:
    """A base of values that are ordered by their moment within one class."""

    __slots__ = ()
    moment: Any

    def _other(self, other: Any) -> Any:
        if type(self) is not type(other):
            raise TypeError
        return other.moment

    def __lt__(self, other: Any) -> bool:
        return bool(self.moment < self._other(other))

    def __le__(self, other: Any) -> bool:
        return bool(self.moment <= self._other(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.moment > self._other(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self.moment >= self._other(other))


@dataclass(frozen=True, slots=True)
class RubyTime(_Ordered):
    """Ruby's Time: a moment in a time zone or in UTC."""

    CLASS: ClassVar[str] = "Time"
    METHODS: ClassVar[dict[str, Method]] = {}
    OPERATORS: ClassVar[dict[str, Callable[[Any, Any], Any]]] = {}

    moment: datetime
    utc: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return strftime(self, "%Y-%m-%d %H:%M:%S UTC" if self.utc else "%Y-%m-%d %H:%M:%S %z")

    def inspected(self) -> str:
        fraction = f".{self.moment.microsecond:06}".rstrip("0").rstrip(".")
        return strftime(self, f"%Y-%m-%d %H:%M:%S{fraction} {'UTC' if self.utc else '%z'}")

    @property
    def seconds(self) -> float:
        return self.moment.timestamp()


@dataclass(frozen=True, slots=True)
class RubyDate(_Ordered):
    """Ruby's Date."""

    CLASS: ClassVar[str] = "Date"
    METHODS: ClassVar[dict[str, Method]] = {}
    OPERATORS: ClassVar[dict[str, Callable[[Any, Any], Any]]] = {}

    moment: date

    def __str__(self) -> str:
        return self.moment.isoformat()

    def inspected(self) -> str:
        raise Unsupported("inspect of a date", "Write .to_s.")


# -- making them


def now() -> RubyTime:
    return RubyTime(datetime.fromtimestamp(time.time()).astimezone())


def at_seconds(seconds: Any) -> RubyTime:
    if not is_number(seconds):
        raise RubyError(f"can't convert {in_message(seconds)} into an exact number", "TypeError")
    return RubyTime(_reachable(lambda: datetime.fromtimestamp(seconds).astimezone()))


def utc_time(*parts: Any) -> RubyTime:
    year, month, day, hour, minute, second = _filled(parts)
    return RubyTime(_reachable(lambda: datetime(year, month, day, hour, minute, second, tzinfo=UTC)), utc=True)


def local_time(*parts: Any) -> RubyTime:
    """Return `Time.new(2026, 1, 2)`, the present time without arguments."""
    if not parts:
        return now()
    year, month, day, hour, minute, second = _filled(parts)
    return RubyTime(_reachable(lambda: datetime(year, month, day, hour, minute, second).astimezone()))


def _filled(parts: tuple[Any, ...]) -> list[int]:
    """Complete year to second with defaults for missing parts."""
    if not 1 <= len(parts) <= 6 or not all(isinstance(part, int) for part in parts):
        raise Unsupported("a time of these parts", "Write whole numbers from the year on.")
    return [*parts, *(1, 1, 0, 0, 0)[len(parts) - 1 :]]


def today() -> RubyDate:
    return RubyDate(datetime.fromtimestamp(time.time()).date())


def on_day(year: int, month: int = 1, day: int = 1) -> RubyDate:
    try:
        month = month if month > 0 else month + 13
        last = monthrange(year, month)[1]
        return RubyDate(date(year, month, day if day > 0 else last + day + 1))
    except (ValueError, IndexError):
        raise RubyError("invalid date", "Date::Error") from None


def parse_date(value: Any) -> RubyDate:
    """Parse a date of year, month and day in that order; Ruby reads more forms."""
    match = re.search(r"(\d{4})-(\d{1,2})-(\d{1,2})|(?<!\d)(\d{4})(\d{2})(\d{2})(?!\d)", text(value)[:100])
    if match is None:
        if re.search(r"\d", text(value)[:100]):
            raise Unsupported("Date.parse of this form", "Write the date as 2026-01-31.")
        raise RubyError("invalid date", "Date::Error")
    year, month, day = (int(part) for part in match.groups() if part is not None)
    return on_day(year, month, day)


def _reachable(make: Callable[[], datetime]) -> datetime:
    try:
        return make()
    except (ValueError, OverflowError, OSError):
        raise RubyError("argument out of range", "ArgumentError") from None


# -- strftime


def strftime(value: RubyTime | RubyDate, form: str) -> str:
    """Format like Ruby's `strftime`, whose directives take flags and a width."""
    return _DIRECTIVE.sub(lambda directive: _shown(value, directive[1], directive[2], directive[3], directive[0]), form)


def _shown(value: RubyTime | RubyDate, flags: str, width: str, kind: str, written: str) -> str:
    if kind in _COMPOSED:
        composed, pad, digits = strftime(value, _COMPOSED[kind]), " ", 0
    elif kind in ("N", "L"):
        nanoseconds = f"{_moment(value).microsecond * 1000:09}"
        length = int(width or (3 if kind == "L" else 9))
        return nanoseconds.ljust(length, "0")[:length]
    elif kind == "z":
        return _offset(value, flags.count(":"))
    else:
        found = _PARTS.get(kind)
        if found is None:
            return written
        part, digits, pad = found(value)
        composed = str(part)
    if "^" in flags or ("#" in flags and kind != "p"):
        composed = composed.upper()
    elif "#" in flags:
        composed = composed.swapcase()
    if "-" in flags:
        return composed
    pad = " " if "_" in flags else "0" if "0" in flags else pad
    return composed.rjust(int(width) if width else digits, pad)


Part = tuple[Any, int, str]


def _moment(value: RubyTime | RubyDate) -> datetime:
    moment = value.moment
    return moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def _offset(value: RubyTime | RubyDate, colons: int) -> str:
    seconds = int((_moment(value).utcoffset() or timedelta()).total_seconds())
    sign, rest = ("-" if seconds < 0 else "+"), abs(seconds)
    hours, minutes = f"{rest // 3600:02}", f"{rest % 3600 // 60:02}"
    between = ":" if colons else ""
    return f"{sign}{hours}{between}{minutes}{f':{rest % 60:02}' if colons == 2 else ''}"


def _number(width: int, read: Callable[[datetime], int], pad: str = "0") -> Callable[[RubyTime | RubyDate], Part]:
    return lambda value: (read(_moment(value)), width, pad)


def _word(read: Callable[[datetime], str]) -> Callable[[RubyTime | RubyDate], Part]:
    return lambda value: (read(_moment(value)), 0, " ")


def _weekday(moment: datetime) -> int:
    return moment.isoweekday() % 7


def _zone(value: RubyTime | RubyDate) -> Part:
    if isinstance(value, RubyDate):
        return "+00:00", 0, " "
    return "UTC" if value.utc else value.moment.tzname() or "", 0, " "


_PARTS: Final[dict[str, Callable[[RubyTime | RubyDate], Part]]] = {
    "Y": _number(1, lambda moment: moment.year),
    "C": _number(2, lambda moment: moment.year // 100),
    "y": _number(2, lambda moment: moment.year % 100),
    "m": _number(2, lambda moment: moment.month),
    "B": _word(lambda moment: _MONTHS[moment.month - 1]),
    "b": _word(lambda moment: _MONTHS[moment.month - 1][:3]),
    "h": _word(lambda moment: _MONTHS[moment.month - 1][:3]),
    "d": _number(2, lambda moment: moment.day),
    "e": _number(2, lambda moment: moment.day, " "),
    "j": _number(3, lambda moment: moment.timetuple().tm_yday),
    "H": _number(2, lambda moment: moment.hour),
    "k": _number(2, lambda moment: moment.hour, " "),
    "I": _number(2, lambda moment: (moment.hour + 11) % 12 + 1),
    "l": _number(2, lambda moment: (moment.hour + 11) % 12 + 1, " "),
    "M": _number(2, lambda moment: moment.minute),
    "S": _number(2, lambda moment: moment.second),
    "p": _word(lambda moment: "AM" if moment.hour < 12 else "PM"),
    "P": _word(lambda moment: "am" if moment.hour < 12 else "pm"),
    "Z": _zone,
    "A": _word(lambda moment: _DAYS[_weekday(moment)]),
    "a": _word(lambda moment: _DAYS[_weekday(moment)][:3]),
    "u": _number(1, lambda moment: moment.isoweekday()),
    "w": _number(1, _weekday),
    "G": _number(4, lambda moment: moment.isocalendar()[0]),
    "g": _number(2, lambda moment: moment.isocalendar()[0] % 100),
    "V": _number(2, lambda moment: moment.isocalendar()[1]),
    "U": _number(2, lambda moment: (moment.timetuple().tm_yday + 6 - _weekday(moment)) // 7),
    "W": _number(2, lambda moment: (moment.timetuple().tm_yday + 6 - (_weekday(moment) - 1) % 7) // 7),
    "s": _number(1, lambda moment: int(moment.timestamp())),
    "n": _word(lambda _: "\n"),
    "t": _word(lambda _: "\t"),
    "%": _word(lambda _: "%"),
}


# -- arithmetic


def _moved(value: RubyTime, seconds: Any, sign: int) -> Any:
    if isinstance(seconds, RubyTime) and sign < 0:
        return (value.moment - seconds.moment).total_seconds()
    if not is_number(seconds):
        raise RubyError(f"can't convert {in_message(seconds)} into an exact number", "TypeError")
    return RubyTime(_reachable(lambda: value.moment + timedelta(seconds=sign * seconds)), value.utc)


def _moved_days(value: RubyDate, days: Any, sign: int) -> Any:
    if isinstance(days, RubyDate) and sign < 0:
        raise Unsupported("the difference of two dates", "Write (a.to_time - b.to_time) / 86400.")
    if not isinstance(days, int):
        raise RubyError("expected numeric", "TypeError")
    try:
        return RubyDate(value.moment + timedelta(days=sign * days))
    except OverflowError:
        raise RubyError("argument out of range", "ArgumentError") from None


def _moved_months(value: RubyDate, months: int) -> RubyDate:
    place = value.moment.year * 12 + value.moment.month - 1 + months
    year, month = place // 12, place % 12 + 1
    if not 1 <= year <= 9999:
        raise RubyError("invalid date", "Date::Error")
    return RubyDate(date(year, month, min(value.moment.day, monthrange(year, month)[1])))


RubyTime.OPERATORS.update(
    {"+": lambda value, other: _moved(value, other, 1), "-": lambda value, other: _moved(value, other, -1)}
)
RubyDate.OPERATORS.update(
    {
        "+": lambda value, other: _moved_days(value, other, 1),
        "-": lambda value, other: _moved_days(value, other, -1),
        ">>": _moved_months,
        "<<": lambda value, months: _moved_months(value, -months),
    }
)


def _in_utc(value: RubyTime) -> RubyTime:
    return RubyTime(value.moment.astimezone(UTC), utc=True)


def _in_zone(value: RubyTime, offset: Any = None) -> RubyTime:
    if offset is None:
        return RubyTime(value.moment.astimezone())
    match = re.fullmatch(r"([+-])(\d{2}):?(\d{2})", text(offset))
    if match is None:
        raise RubyError('"+HH:MM", "-HH:MM", "UTC" or "A".."I","K".."Z" expected for utc_offset', "ArgumentError")
    minutes = (int(match[2]) * 60 + int(match[3])) * (-1 if match[1] == "-" else 1)
    return RubyTime(_reachable(lambda: value.moment.astimezone(timezone(timedelta(minutes=minutes)))))


def _iso8601(value: RubyTime, digits: int = 0) -> str:
    fraction = f".%{digits}N" if digits else ""
    return strftime(value, f"%Y-%m-%dT%H:%M:%S{fraction}{'Z' if value.utc else '%:z'}")


def _is_weekday(number: int) -> Method:
    return lambda value: _weekday(_moment(value)) == number


_CALENDAR: Final[dict[str, Method]] = {
    "strftime": strftime,
    "year": lambda value: value.moment.year,
    "month": lambda value: value.moment.month,
    "mon": lambda value: value.moment.month,
    "day": lambda value: value.moment.day,
    "mday": lambda value: value.moment.day,
    "wday": lambda value: _weekday(_moment(value)),
    "yday": lambda value: value.moment.timetuple().tm_yday,
    "to_date": lambda value: RubyDate(_moment(value).date()),
    "between?": lambda value, low, high: low <= value <= high,
    **{f"{name.lower()}?": _is_weekday(number) for number, name in enumerate(_DAYS)},
}
_TIME: Final[dict[str, Method]] = {
    **_CALENDAR,
    "hour": lambda value: value.moment.hour,
    "min": lambda value: value.moment.minute,
    "sec": lambda value: value.moment.second,
    "usec": lambda value: value.moment.microsecond,
    "nsec": lambda value: value.moment.microsecond * 1000,
    "zone": lambda value: _zone(value)[0],
    "utc_offset": lambda value: int((value.moment.utcoffset() or timedelta()).total_seconds()),
    "to_i": lambda value: int(value.seconds // 1),
    "to_f": lambda value: value.seconds,
    "to_time": lambda value: value,
    "utc": _in_utc,
    "getutc": _in_utc,
    "gmtime": _in_utc,
    "utc?": lambda value: value.utc,
    "localtime": _in_zone,
    "getlocal": _in_zone,
    "iso8601": _iso8601,
    "xmlschema": _iso8601,
    "round": lambda value: RubyTime((value.moment + timedelta(microseconds=500_000)).replace(microsecond=0), value.utc),
}
_DATE_ONLY: Final[dict[str, Method]] = {
    "iso8601": str,
    "xmlschema": str,
    "cweek": lambda value: value.moment.isocalendar()[1],
    "cwyear": lambda value: value.moment.isocalendar()[0],
    "cwday": lambda value: value.moment.isoweekday(),
    "next": lambda value: _moved_days(value, 1, 1),
    "next_day": lambda value, days=1: _moved_days(value, days, 1),
    "prev_day": lambda value, days=1: _moved_days(value, days, -1),
    "next_month": lambda value, months=1: _moved_months(value, months),
    "prev_month": lambda value, months=1: _moved_months(value, -months),
    "next_year": lambda value, years=1: _moved_months(value, 12 * years),
    "prev_year": lambda value, years=1: _moved_months(value, -12 * years),
    "to_time": lambda value: local_time(value.moment.year, value.moment.month, value.moment.day),
    "leap?": lambda value: monthrange(value.moment.year, 2)[1] == 29,
}
RubyTime.METHODS.update(_TIME)
RubyDate.METHODS.update({**_CALENDAR, **_DATE_ONLY})

FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("Time", "now"): now,
    ("Time", "at"): at_seconds,
    ("Time", "new"): local_time,
    ("Time", "local"): local_time,
    ("Time", "mktime"): local_time,
    ("Time", "utc"): utc_time,
    ("Time", "gm"): utc_time,
    ("Date", "today"): today,
    ("Date", "new"): on_day,
    ("Date", "parse"): parse_date,
    ("Date", "iso8601"): parse_date,
}
