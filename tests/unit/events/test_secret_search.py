"""Finding many texts at once finds what looking for each of them finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.events.secret_search import Beginnings, SampleTable, Sought

pytestmark = pytest.mark.unit

LETTERS = "abé"
FORMS = st.lists(st.text(LETTERS, min_size=1, max_size=40), max_size=30)


@given(FORMS, st.lists(st.text(LETTERS, max_size=60), max_size=6), st.data())
def test_nothing_is_overlooked(forms: list[str], others: list[str], data: st.DataObject) -> None:
    """Every secret is found, at any place, of any length, among any number."""
    pieces = [*others, *data.draw(st.lists(st.sampled_from(forms), max_size=4))] if forms else others
    text = "".join(data.draw(st.permutations(pieces))).encode()
    table = SampleTable(Sought((form,), (form.encode(),)) for form in forms)
    found = sorted(form for each in table.candidates(text) for form in each.forms)
    assert found == sorted(form for form in forms if form.encode() in text)


def test_all_parts_have_to_be_there() -> None:
    """A part that is a usual word makes no candidate by itself."""
    sought = [Sought((f"postgres://me:{number:020}@db",), (b"postgres", b"%020d" % number)) for number in range(50)]
    table = SampleTable([*sought, Sought(("ü!ß§$%",), ())])
    (found,) = (each for each in table.candidates(b"postgres, and 00000000000000000007!") if each.parts)
    assert found is sought[7]
    assert [each.parts for each in table.candidates(b"nothing")] == [()], "what has no such part is always one"


@given(FORMS, st.text(LETTERS, max_size=60), st.data())
def test_the_beginning_of_a_form_at_the_end(forms: list[str], text: str, data: st.DataObject) -> None:
    """The longest one, which is not the whole form, from a place on."""
    if forms:
        form = data.draw(st.sampled_from(forms))
        text += form[: data.draw(st.integers(0, len(form)))]
    start = data.draw(st.integers(0, len(text)))
    expected = next(
        (
            at
            for at in range(start, len(text))
            if any(form.startswith(text[at:]) and form != text[at:] for form in forms)
        ),
        len(text),
    )
    assert Beginnings(forms).open_end(text, start) == expected
