"""A repository that wants to do harm: every place of it that can name a program names one that leaves a mark.

`HostileRepository.marks` are the marks left so far. `touch` is the program, so a mark is an empty file.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TEMPLATE_MARKS: Final = frozenset({"backticks", "percent-x", "alias-line"})
"""The commands that an evaluation of the templates runs."""

GIT_MARKS: Final = frozenset({"fsmonitor", "hook", "signature", "transport", "filter"})
"""The programs that `git status` and `git log` run here when nothing is overridden."""

SSH_MARKS: Final = frozenset({"proxy-command", "match-exec"})

HARMLESS: Final = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
ssh: {port: 1}
"""
"""A valid configuration whose host refuses connections at once."""


@dataclass(frozen=True, slots=True)
class HostileRepository:
    """`folder` is the work tree, `bare` a bare repository inside it that looks like a folder of the project."""

    folder: Path
    marks_folder: Path

    @classmethod
    def create(cls, folder: Path) -> HostileRepository:
        repository = cls(folder / "work", folder / "marks")
        repository.folder.mkdir(parents=True)
        repository.marks_folder.mkdir()
        repository._write_project()
        repository._write_programs()
        repository._write_ssh()
        repository._make_git(repository.folder)
        repository._make_git(repository.bare, bare=True)
        return repository

    @property
    def bare(self) -> Path:
        return self.folder / "vendor" / "library"

    @property
    def marks(self) -> set[str]:
        return {path.name for path in self.marks_folder.iterdir()}

    def forget(self) -> None:
        for path in self.marks_folder.iterdir():
            path.unlink()

    def leave(self, mark: str) -> str:
        """The shell line that leaves a mark."""
        return f"touch {self.marks_folder / mark}"

    def write(self, path: str, text: str, *, executable: bool = False) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if executable else 0o644)

    def make_valid(self, more: str = "") -> None:
        """Exchange the configuration for a valid one without templates, so that commands get as far as they can."""
        for place in (self.folder / "config", self.bare):
            (place / "deploy.yml").write_text(HARMLESS + more)

    def add_submodule(self) -> None:
        """A repository inside of it, which `git status` looks into and whose configuration is as hostile."""
        self._make_git(self.folder / "module")
        commit = git(self.folder / "module", "rev-parse", "HEAD")
        git(self.folder, "update-index", "--add", "--cacheinfo", f"160000,{commit},module")
        self.forget()

    # -- what is in it

    def _write_project(self) -> None:
        """Templates with shell lines, and aliases with the names of commands."""
        names = ("completion", "sandbox", "version", "docs", "help", "tree", "__complete", "init", "deploy", "evil")
        aliases = "".join(f"  {name}: server exec --raw <%= `{self.leave('alias-line')}` %>true\n" for name in names)
        text = (
            f"<% `{self.leave('backticks')}` %>\n<% x = %x({self.leave('percent-x')}) %>\n"
            f"<% require 'dotenv/load' %>\n{HARMLESS}aliases:\n{aliases}"
            f"accessories:\n  db: {{image: 'mysql:8', host: 127.0.0.1}}\n"
        )
        for place in ("config/deploy.yml", "config/deploy.staging.yml", "vendor/library/deploy.yml"):
            self.write(place, text)
        self.write(".env", f"X=$({self.leave('dotenv')})\n")
        self.write(".kamal/secrets", f"X=$({self.leave('secrets')})\n")
        for hook in ("pre-connect", "docker-setup", "pre-build", "pre-deploy", "post-deploy"):
            self.write(f".kamal/hooks/{hook}", self._program("kamal-hook"), executable=True)

    def _write_programs(self) -> None:
        """Programs and modules with the names of those that commands call and import."""
        for path in ("bin/kamal", "kamal", "git", "ssh", "docker", "sh"):
            self.write(path, self._program("program"), executable=True)
        for module in ("asyncio", "json", "yaml", "asyncssh", "sitecustomize", "pykamal/__init__"):
            self.write(f"{module}.py", f"import os; os.system({self.leave('module')!r})\n")

    def _write_ssh(self) -> None:
        self.write(
            ".ssh/config",
            f'Match exec "{self.leave("match-exec")}"\n  ProxyCommand {self.leave("proxy-command")}\n'
            f"Host *\n  ProxyCommand {self.leave('proxy-command')}\n",
        )

    def _program(self, mark: str) -> str:
        return f"#!/bin/sh\n{self.leave(mark)}\n"

    # -- Git

    def _make_git(self, place: Path, *, bare: bool = False) -> None:
        """A history with a signature and a missing commit, and a configuration that names a program everywhere."""
        place.mkdir(parents=True, exist_ok=True)
        git(place, "init", "--quiet", *(["--bare", "."] if bare else []))
        directory = place if bare else place / ".git"
        missing = self._commit(place, "first", ())
        head = self._commit(place, "third", (self._commit(place, "second", (missing,)),), signed=True)
        git(place, "update-ref", "HEAD", head)
        if not bare:
            (place / "filtered.txt").write_text("a\n")
            (place / ".gitattributes").write_text("*.txt filter=x diff=x\n")
            git(place, "-c", "core.safecrlf=false", "add", "filtered.txt", ".gitattributes")
        self.write_config(directory)
        (directory / "objects" / missing[:2] / missing[2:]).unlink()
        self.forget()

    def _commit(self, place: Path, message: str, parents: tuple[str, ...], *, signed: bool = False) -> str:
        tree = git(place, "mktree", stdin="")
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"{who} A <a@example.com> 1700000000 +0000" for who in ("author", "committer")]
        if signed:
            lines += ["gpgsig -----BEGIN PGP SIGNATURE-----", " ", " x", " -----END PGP SIGNATURE-----"]
        text = "\n".join([*lines, "", message, ""])
        return git(place, "hash-object", "-t", "commit", "-w", "--stdin", stdin=text)

    def write_config(self, directory: Path) -> None:
        hooks = directory / "hostile-hooks"
        hooks.mkdir()
        for hook in ("post-index-change", "reference-transaction", "post-checkout", "pre-auto-gc"):
            (hooks / hook).write_text(self._program("hook"))
            (hooks / hook).chmod(0o755)
        program = directory / "hostile-signature"
        program.write_text(self._program("signature"))
        program.chmod(0o755)
        with (directory / "config").open("a") as file:
            file.write(
                f"""\
[core]
	repositoryformatversion = 1
	fsmonitor = "{self.leave("fsmonitor")}; false"
	hooksPath = {hooks}
	pager = {self.leave("pager")}
	editor = {self.leave("editor")}
	sshCommand = "{self.leave("transport")}; false"
	alternateRefsCommand = {self.leave("alternate-refs")}
[pager]
	log = {self.leave("pager")}
	status = {self.leave("pager")}
	config = {self.leave("pager")}
[log]
	showSignature = true
[gpg]
	program = {program}
[alias]
	log = "!{self.leave("alias")}"
	status = "!{self.leave("alias")}"
	rev-parse = "!{self.leave("alias")}"
[diff]
	external = {self.leave("diff")}
[diff "x"]
	textconv = {self.leave("textconv")}
[filter "x"]
	clean = "{self.leave("filter")}; cat"
	smudge = "{self.leave("filter")}; cat"
[credential]
	helper = "!{self.leave("credential")}"
[protocol]
	allow = always
[extensions]
	partialClone = origin
[remote "origin"]
	url = {directory}
	promisor = true
	uploadpack = "{self.leave("transport")}; false"
"""
            )


def git(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    """Call Git as it is, with the repository's own settings and no others."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        input=stdin,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def clean_environment() -> dict[str, str]:
    """This process's environment without settings of Git, of the user's home and of kamal."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "KAMAL_", "VERSION"))}
    return {**own, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
