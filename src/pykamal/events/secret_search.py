"""Finding many texts at once in output that comes by the megabyte.

Looking for each text on its own takes a time that grows with their number. Here a few bytes at fixed distances in the
output are looked up in a table instead: so close together that one of them lies inside whatever is looked for.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_SAMPLE_BYTES: Final = 4
_DISTANCES: Final = (16, 8, 4)
"""Bytes from the beginning of one sample to the next: the wider, the faster, but the longer what can be found."""

_FEW: Final = 4
"""So many texts are found faster one by one than by samples."""

_HEAD: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """Forms of one text. `parts` are in each of the forms, whatever it is. `in_base64` tells where to look for it."""

    forms: Collection[str]
    parts: Sequence[bytes]
    in_base64: bool = False

    def may_be_in(self, data: bytes) -> bool:
        return all(part in data for part in self.parts)


class SampleTable:
    """Tells which of many texts may stand in some output, without looking for each."""

    def __init__(self, sought: Iterable[Sought]) -> None:
        self._others: list[Sought] = []
        by_distance: dict[int, list[Sought]] = {distance: [] for distance in _DISTANCES}
        for each in sought:
            longest = max(map(len, each.parts), default=0)
            fitting = (distance for distance in _DISTANCES if longest >= _needed(distance))
            by_distance.get(next(fitting, 0), self._others).append(each)
        self._samples: dict[int, dict[int, list[Sought]]] = {}
        for distance, found in by_distance.items():
            if len(found) > _FEW:
                self._samples[distance] = _samples(found, distance)
            else:
                self._others += found

    def candidates(self, data: bytes) -> Iterator[Sought]:
        """Yield the forms of secrets that the output may contain."""
        sampled = memoryview(data)[: len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES].cast("I")
        candidates = dict.fromkeys(self._others)
        for distance, samples in self._samples.items():
            for sample in samples.keys() & sampled[:: distance // _SAMPLE_BYTES].tolist():
                candidates |= dict.fromkeys(samples[sample])
        return (each for each in candidates if each.may_be_in(data))


def _needed(distance: int) -> int:
    """Return the bytes that a part must have so that a sample lies inside it at every place."""
    return distance + _SAMPLE_BYTES - 1


def _samples(sought: Iterable[Sought], distance: int) -> dict[int, list[Sought]]:
    """The samples of which one is taken wherever a part stands, with what they are part of."""
    found = defaultdict(list)
    for each in sought:
        part = max(each.parts, key=len)
        end = part[-_needed(distance) :]  # beginnings are often alike: `postgres`, `ghp_`
        for start in range(distance):
            found[int.from_bytes(end[start : start + _SAMPLE_BYTES], sys.byteorder)].append(each)
    return dict(found)


class Beginnings:
    """Tells whether a text ends with the beginning of a form."""

    def __init__(self, forms: Iterable[str]) -> None:
        self._forms = sorted(forms)
        self._heads = {form[:length] for form in self._forms for length in range(1, _HEAD + 1)}
        self.longest = max(map(len, self._forms), default=0)

    def open_end(self, text: str, start: int) -> int:
        """Return the start of the longest such suffix, from `start` on; the text's length for none."""
        for position in range(max(start, len(text) - self.longest + 1), len(text)):
            if text[position : position + _HEAD] in self._heads:
                rest = text[position:]
                following = bisect_right(self._forms, rest)
                if following < len(self._forms) and self._forms[following].startswith(rest):
                    return position
        return len(text)
