"""Regular expressions of templates: what they match is what Ruby matches, in steps that grow with the text only."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykamal.erb.budget import Budget, BudgetExceeded, Limits
from pykamal.erb.matcher import Matching, Regexp
from pykamal.erb.regexps import Invalid, Refused, compile_regexp

pytestmark = pytest.mark.unit

_PIECES = [
    *(
        "a",
        "b",
        "c",
        ".",
        "[ab]",
        "[^a]",
        r"\w",
        "^",
        "$",
        r"\b",
        "(?:ab)",
        "(?=a)",
        "(?!b)",
        "(?<=a)",
        "(?<!b)",
        "(?i:A)",
    ),
    *("a*", "b+?", "c??", "(a)", "(b|a)", "(a*)", "(a|b)*", "(a|ab)(c|bcd)*", "a{2,3}", "b{0,2}?", "(?:a|b)+?"),
]
_patterns = st.lists(st.sampled_from([*_PIECES, "|"]), min_size=1, max_size=6).map("".join)
_texts = st.text("abc", max_size=10)


class _CountingBudget(Budget):
    taken = 0

    def step(self, count: int = 1) -> None:
        self.taken += count
        super().step(count)


def _regexp(source: str, flags: str = "", steps: int = 200_000) -> Regexp:
    return Regexp(source, flags, compile_regexp(source, flags), Matching(Budget(Limits(steps=steps))))


@settings(max_examples=500, deadline=None)
@given(_patterns, _texts)
def test_matches_are_those_of_a_backtracking_matcher(source: str, text: str) -> None:
    """The first match and its groups are the ones that trying everything in order finds."""
    expected = re.compile(source, re.MULTILINE | re.ASCII).search(text)
    found = _regexp(source).search(text)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert (found.start, found.end) == expected.span()
        assert tuple(found.groups) == expected.groups()


@pytest.mark.parametrize(
    "source",
    [
        "(a+)+$",
        "(a|a)*b",
        "(a*)*b",
        "((a+)+)+b",
        "a*a*a*a*a*b",
        "(a?){30}a{30}b",
        "(?:a|aa)+$",
        "(a|b|ab)*c",
        "(.*a){8}b",
    ],
)
def test_steps_grow_with_the_text_only(source: str) -> None:
    """Twice the text takes about twice the steps, whatever is repeated inside of what."""
    taken = []
    for length in (400, 800):
        budget = _CountingBudget(Limits(steps=10**9, seconds=60))
        Regexp(source, "", compile_regexp(source, ""), Matching(budget)).search("a" * length + "!")
        taken.append(budget.taken)
    assert taken[1] < 2.5 * taken[0] + 100


def test_the_budget_ends_a_search() -> None:
    """A text that is too long for what is left of the steps ends in an error of the budget."""
    with pytest.raises(BudgetExceeded, match="more than 50 steps"):
        _regexp("(a|b)*c", steps=50).search("ab" * 5000)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (r"(a)\1", r"the back-reference \1"),
        (r"(?<n>a)\k<n>", r"\k"),
        ("a++", "a possessive repeat"),
        ("(?>a)", "the group (?>"),
        ("[a&&b]", "&& in a character class"),
        (r"\p{Greek}", r"\p{Greek}"),
        ("a" * 1001, "more than 1000 characters"),
        ("(" * 50 + ")" * 50, "so many groups inside each other"),
        ("((a{100}){100}){100}", "so many repeats"),
        ("((?=a{3000})){3000}", "so many repeats"),
    ],
)
def test_what_is_not_supported_is_named(source: str, reason: str) -> None:
    """The reason stands in the error."""
    with pytest.raises(Refused) as caught:
        compile_regexp(source, "")
    assert str(caught.value) == reason


@pytest.mark.parametrize("source", ["(", "a)", "[a", "*a", "a{3,2}", "[b-a]", "a\\", "(?#x", "(?<=a*)b", r"\p{"])
def test_what_is_no_regular_expression(source: str) -> None:
    """It is Ruby's RegexpError, which shows the source."""
    with pytest.raises(Invalid) as caught:
        compile_regexp(source, "")
    assert str(caught.value).endswith(f"/{source}/")
