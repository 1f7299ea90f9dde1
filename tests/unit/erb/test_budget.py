"""The budget of templates: steps, time and sizes, over all templates of a run."""

from __future__ import annotations

import pytest

from pykamal.erb.budget import Budget, BudgetExceeded, Limits
from pykamal.erb.template import render
from tests.unit.erb.rendering import failure, rendered, session

pytestmark = pytest.mark.unit


class _Clock:
    """A clock that moves on by what a test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("<% loop { } %>", "the template takes more than 200,000 steps"),
        (
            "<% x = 'a' * 1_000_000; 99.times { x.size; x.upcase } %>",
            "works on too much data (more than 2,000,000 items)",
        ),
        ("<% x = 'a' * 1_048_577 %>", "a text becomes longer than 1,048,576 characters"),
        ("<% x = [0] * 10_001 %>", "a list becomes longer than 10,000 items"),
        ("<% x = 2 ** 4096 %>", "a number becomes longer than 4,096 bits"),
        ("<% 2.times do %><%= 'x' * 600_000 %><% end %>", "the template renders to more than 1,048,576 characters"),
        ("<% def f = f; f %>", "code is nested too deeply (more than 60 levels)"),
        (f"<%= {'(' * 500}1{')' * 500} %>", "code is nested too deeply"),
        (f"<%= {'!' * 500}true %>", "code is nested too deeply"),
        (f"<%= {'[' * 500} %>", "code is nested too deeply"),
        ("<%= " + '"#{' * 100 + " %>", "code is nested too deeply"),
        (f"<% {'1;' * 20_001} %>", "the template has more than 20000 words of code"),
    ],
)
def test_limits_are_named(source: str, message: str) -> None:
    """The error says which limit it was."""
    assert failure(source).message.endswith(message)


def test_no_rescue_catches_a_limit() -> None:
    """Neither `rescue` nor a retry gets around a limit."""
    source = "<% begin; loop { }; rescue Exception; retry; ensure; 1; end %>"
    assert failure(source).message == "the template takes more than 200,000 steps"


def test_what_a_limit_allows() -> None:
    """Loops, texts and lists of the sizes that deploy files have are far from the limits."""
    assert rendered("<% list = []; 2000.times { |i| list << i.to_s * 3 } %><%= list.join(',').size %>") == "22669"
    assert rendered("<% text = ''; 500.times { |i| text << 'line ' << i.to_s } %><%= text.size %>") == "3890"


def test_templates_of_one_run_share_the_budget() -> None:
    """A second file has what the first one left."""
    shared = session(Limits(steps=1000))
    render("a", "<% 300.times { |i| i } %>", shared)
    with pytest.raises(Exception, match="more than 1,000 steps"):
        render("b", "<% 300.times { |i| i } %>", shared)


def test_time_is_limited() -> None:
    """The clock is looked at every few steps, and after each function that goes through much."""
    clock = _Clock()
    budget = Budget(Limits(seconds=2), clock)
    budget.step(64)
    clock.now = 2.5
    with pytest.raises(BudgetExceeded, match="takes longer than 2 seconds"):
        budget.step(64)
    with pytest.raises(BudgetExceeded, match="takes longer than 2 seconds"):
        budget.use(1000)


def test_shell_lines_take_none_of_the_time() -> None:
    """A password manager may ask a person; that is not the template's time."""
    clock = _Clock()
    budget = Budget(Limits(seconds=2), clock)
    with budget.paused():
        clock.now = 100
    budget.look_at_the_clock()
    clock.now = 102.5
    with pytest.raises(BudgetExceeded):
        budget.look_at_the_clock()
