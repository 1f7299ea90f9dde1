"""Files that are brought to accessories (spec/config.md 9.4)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pykamal.config.models import Accessory, Env, File
from pykamal.core.errors import ConfigurationError, KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.operations.accessory.file_contents import Content, content
from pykamal.operations.local.local_system import LocalSystem

pytestmark = pytest.mark.unit

_SECRETS = {"DB_PASSWORD": Sensitive("hunter2")}


def _accessory(local: str) -> tuple[Accessory, File]:
    file = File(local, "/etc/x")
    env = Env({"PORT": 3306, "DEBUG": True}, ("PASSWORD:DB_PASSWORD",))
    return Accessory("db", "shop-db", "mysql:8", ("h",), env=env, files=(file,)), file


def test_plain_files_are_uploaded_as_they_are(tmp_path: Path) -> None:
    """Byte for byte: tags in a file that is no template mean nothing, line ends stay what they are, text or not."""
    for written in (b"a = <%= 1 %>\r\n", b"\x00\xff binary"):
        (tmp_path / "my.cnf").write_bytes(written)
        accessory, file = _accessory("my.cnf")
        assert content(accessory, file, _SECRETS, LocalSystem(tmp_path, {})) == Content(written)


def test_a_template_that_is_no_text(tmp_path: Path) -> None:
    """It is named instead of ending in a traceback."""
    (tmp_path / "x.erb").write_bytes(b"\xff")
    accessory, file = _accessory("x.erb")
    with pytest.raises(KamalError, match=r"x\.erb is not UTF-8"):
        content(accessory, file, _SECRETS, LocalSystem(tmp_path, {}))


def test_templates_see_the_accessorys_variables(tmp_path: Path) -> None:
    """A name that ends in erb is rendered with clear values and secrets in ENV, and the result is a secret itself."""
    (tmp_path / "my.cnf.erb").write_text(
        '<%= ENV["PORT"] %> <%= ENV["DEBUG"] %> <%= ENV["PASSWORD"] %> <%= ENV["HOME"] %>'
    )
    accessory, file = _accessory("my.cnf.erb")
    found = content(accessory, file, _SECRETS, LocalSystem(tmp_path, {"HOME": "/root"}))
    assert found.data == Sensitive("3306 true hunter2 /root")


@pytest.mark.process
@pytest.mark.parametrize(
    ("template", "holds_secrets"),
    [
        ('port = <%= ENV["PORT"] %>', False),
        ('<%= ENV["PASSWORD"] %>', True),
        ('<%= ENV.fetch("PASSWORD") %>', True),
        ('<%= ENV.values_at("PORT", "PASSWORD").join(":") %>', True),
        ('<%= Base64.strict_encode64(ENV["PASSWORD"]) %>', True),
        ("<%= ENV.to_h.size %>", True),
        ("<%= `echo $PASSWORD` %>", True),
    ],
)
def test_a_template_that_looks_at_a_secret_makes_a_secret_file(
    tmp_path: Path, template: str, holds_secrets: bool
) -> None:
    """Any use of the value, by any way of reading it, makes the file secret."""
    (tmp_path / "x.erb").write_text(template)
    accessory, file = _accessory("x.erb")
    system = LocalSystem(tmp_path, {"PATH": os.defpath})
    assert content(accessory, file, _SECRETS, system).holds_secrets is holds_secrets


def test_missing_files_are_named(tmp_path: Path) -> None:
    """The absolute path is in the message."""
    accessory, file = _accessory("nope")
    with pytest.raises(KamalError, match=f"Missing file: {tmp_path}/nope"):
        content(accessory, file, _SECRETS, LocalSystem(tmp_path, {}))


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """It is said before anything is uploaded."""
    (tmp_path / "conf.d").mkdir()
    accessory, file = _accessory("conf.d")
    with pytest.raises(KamalError, match=r"conf\.d is a directory"):
        content(accessory, file, _SECRETS, LocalSystem(tmp_path, {}))


def test_failing_templates_name_their_place(tmp_path: Path) -> None:
    """A file that cannot be rendered is refused like a template of deploy.yml."""
    (tmp_path / "x.erb").write_text("a\n<%= nope %>")
    accessory, file = _accessory("x.erb")
    with pytest.raises(ConfigurationError) as caught:
        content(accessory, file, _SECRETS, LocalSystem(tmp_path, {}))
    assert str(caught.value.diagnostics[0].location.position) == "x.erb:2:5"


def test_comments_of_other_files_are_no_comments_of_yaml(tmp_path: Path) -> None:
    """A tag that fails behind a `#` ends the upload: in a file that is no YAML nobody knows what the `#` means."""
    (tmp_path / "my.cnf.erb").write_text("# <%= nope %>\n")
    accessory, file = _accessory("my.cnf.erb")
    with pytest.raises(ConfigurationError, match="undefined local variable or method `nope' for main"):
        content(accessory, file, _SECRETS, LocalSystem(tmp_path, {}))
