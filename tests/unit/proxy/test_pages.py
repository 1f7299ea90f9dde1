"""Error pages: the template subset and the built-in pages (spec/proxy.md 16)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.proxy.errors import ProxyError
from pykamal.proxy.pages import BUILT_IN, built_in, load_pages, parse_template

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("template", "message", "page"),
    [
        ("plain", "m", "plain"),
        ("[{{ .Message }}]", "<b> & 'c' \"d\"", "[&lt;b&gt; &amp; &#39;c&#39; &#34;d&#34;]"),
        ("[{{.Message}}]", "", "[]"),
        ("{{ if .Message }}yes{{ else }}no{{ end }}", "m", "yes"),
        ("{{ if .Message }}yes{{ else }}no{{ end }}", "", "no"),
        ("a  {{- .Message -}}  b", "m", "amb"),
        ("{{ if .Message }}{{ if .Message }}in{{ end }}{{ end }}out", "", "out"),
        ("a{{/* a remark */}}b", "", "ab"),
    ],
)
def test_templates_render(template: str, message: str, page: str) -> None:
    """`.Message` is escaped; trim marks eat the white space beside them."""
    assert parse_template(template)(message) == page


@pytest.mark.parametrize(
    "template",
    [
        "{{ if .Message }}",
        "{{ end }}",
        "{{ else }}",
        "{{ .Other }}",
        "{{ .Message",
        "{{ if .Message }}{{ else }}{{ else }}{{ end }}",
    ],
)
def test_unbalanced_or_unknown_actions_are_refused(template: str) -> None:
    """A page that would break when it is needed is refused at deploy."""
    with pytest.raises(ValueError, match=r"action|else|end|EOF"):
        parse_template(template)


def test_a_directory_gives_its_numbered_pages(tmp_path: Path) -> None:
    """Only `*.html` directly in it, and only those named after a status serve one."""
    (tmp_path / "503.html").write_text("custom")
    (tmp_path / "other.html").write_text("kept out")
    (tmp_path / "404.txt").write_text("no page")
    pages = load_pages(str(tmp_path))
    assert {status: page("") for status, page in pages.items()} == {503: "custom"}
    (tmp_path / "other.html").write_text("{{ broken")
    with pytest.raises(ProxyError, match="unable to load error pages"):
        load_pages(str(tmp_path))


@pytest.mark.parametrize("status", sorted(BUILT_IN))
def test_built_in_pages_have_the_known_titles(status: int) -> None:
    """`503 — Service Temporarily Unavailable` and its kind; a message replaces the text."""
    reason, text = BUILT_IN[status]
    assert f"<title>{status} — {reason}</title>" in built_in(status)
    assert text in built_in(status)
    assert text not in built_in(status, "<m>")
    assert "&lt;m&gt;" in built_in(status, "<m>")
