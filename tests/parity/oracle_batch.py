"""`kamal config` of Ruby Kamal for many files in one process: a template that it renders loads one after another.

Starting the program takes most of a second; a configuration takes a millisecond.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.parity.oracle import ruby_output

VERSION: Final = "1.4.2"

_LOADS_ALL: Final = """\
<%
require "json"
environment = ENV.to_h
results = JSON.parse(File.read("cases.json")).map do |folder, destination, variables|
  ENV.replace(environment.merge(variables))
  Dir.chdir(folder) do
    ENV.delete("KAMAL_DESTINATION")
    ENV["KAMAL_DESTINATION"] = destination if destination
    file = Pathname.new("config/deploy.yml").expand_path
    config = Kamal::Configuration.create_from(config_file: file, destination: destination, version: "VERSION")
    Kamal::Utils.redacted(config.to_h).to_yaml
  end
rescue Exception => error
  "ERROR (#{error.class}): #{error.message}"
end
ENV.replace(environment)
File.write("results.json", JSON.generate(results.map { |text| text.dup.force_encoding("UTF-8").scrub }))
%>
"""


_READS_ALL: Final = """\
<%
require "json"
results = JSON.parse(File.read("cases.json")).map do |text|
  YAML.unsafe_load(text).to_yaml
rescue Exception => error
  "ERROR (#{error.class}): #{error.message}"
end
File.write("results.json", JSON.generate(results.map { |text| text.dup.force_encoding("UTF-8").scrub }))
%>
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Files by name, among them config/deploy.yml, and what they are loaded with."""

    files: Mapping[str, str | bytes]
    destination: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def write_to(self, directory: Path) -> None:
        for name, content in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def ruby_config(case: Case, directory: Path) -> str:
    """Return the output of the real Ruby Kamal, or its refusal."""
    case.write_to(directory)
    arguments = ["config", *(["-d", case.destination] if case.destination is not None else [])]
    status, output = ruby_output(arguments, directory, {"VERSION": VERSION, **case.environment})
    refusal = re.search(r"ERROR \(.*(?=\x1b\[0m)", output, re.DOTALL)
    assert (status == 0) is (refusal is None), output
    return refusal.group() if refusal else output


def ruby_configs(cases: Sequence[Case]) -> list[str]:
    """The same for all cases, in one run."""
    with tempfile.TemporaryDirectory(prefix="pykamal-parity-") as folder:
        directory = Path(folder)
        for index, case in enumerate(cases):
            case.write_to(directory / str(index))
        entries = [[str(index), case.destination, dict(case.environment)] for index, case in enumerate(cases)]
        return _results(directory, _LOADS_ALL.replace("VERSION", VERSION), entries)


def psych_documents(texts: Sequence[str]) -> list[str]:
    """Return each text as Ruby's YAML library reads it and writes it again, or the refusal."""
    with tempfile.TemporaryDirectory(prefix="pykamal-parity-") as folder:
        return _results(Path(folder), _READS_ALL, list(texts))


def _results(directory: Path, template: str, cases: list[Any]) -> list[str]:
    (directory / "cases.json").write_text(json.dumps(cases))
    (directory / "config").mkdir()
    (directory / "config" / "deploy.yml").write_text(template)
    output = ruby_output(["config"], directory, {"VERSION": VERSION})
    assert (directory / "results.json").exists(), output
    results: list[str] = json.loads((directory / "results.json").read_text())
    return results
