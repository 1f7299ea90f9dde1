"""Looking is not running: in a hostile repository nothing runs because a shell is opened there, TAB is pressed, help is
asked for, a word is mistyped, or the project's state is looked at.

Each check is run on a careless variant as well, or on the program itself, to show that the repository would be caught.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.commands import proxy_image
from tests.hostile import looking
from tests.hostile.repository import GIT_MARKS, SSH_MARKS, TEMPLATE_MARKS, HostileRepository, clean_environment, git
from tests.hostile.shells import KAMAL, SHELLS, TAB, Terminal, environment

pytestmark = pytest.mark.hostile


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> HostileRepository:
    return HostileRepository.create(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def repository(made: HostileRepository) -> HostileRepository:
    """The repository, without marks."""
    made.forget()
    return made


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> HostileRepository:
    """The same with a configuration that is harmless and valid, so that commands use the project."""
    repository = HostileRepository.create(tmp_path_factory.mktemp("valid"))
    repository.make_valid()
    return repository


def run(repository: HostileRepository, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    home = repository.marks_folder.parent / "home"
    home.mkdir(exist_ok=True)
    environ = {
        **clean_environment(),
        **dict.fromkeys(("HOME", "XDG_CACHE_HOME", "PYKAMAL_SANDBOX_HOME"), str(home)),
        "KAMAL_COMPLETION_SECONDS": "20",
    }
    environ.pop("SSH_AUTH_SOCK", None)
    return subprocess.run(
        words,
        cwd=folder or repository.folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


# -- without the project


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("completion bash", 0),
        ("completion zsh", 0),
        ("completion fish", 0),
        ("completion", 2),
        ("sandbox status", 0),
        ("sandbox env", 1),
        ("sandbox", 0),
        ("version", 0),
        ("version -v", 0),
        ("docs", 0),
        ("docs proxy", 0),
        ("config schema", 0),
        ("tree", 0),
        ("help", 0),
        ("help deploy", 0),
        ("deploy --help", 0),
        ("app exec --help", 0),
        ("nonsense", 2),
        ("delpoy", 2),
        ("app nonsense", 2),
        ('secrets extract A {"A":"1"}', 0),
    ],
)
def test_a_command_that_needs_no_project(line: str, code: int, repository: HostileRepository) -> None:
    """It runs nothing of the project, and no alias takes its place."""
    for folder in (repository.folder, repository.bare):
        done = run(repository, str(KAMAL), *line.split(), folder=folder)
        assert done.returncode == code, done.stdout + done.stderr
    assert repository.marks == set()


def test_init(tmp_path: Path) -> None:
    """It looks into the project's files and says what is in its way; it waits for no pipe."""
    repository = HostileRepository.create(tmp_path)
    for name in ("Dockerfile", "package.json", "Gemfile", "pyproject.toml"):
        os.mkfifo(repository.folder / name)
        os.mkfifo(repository.bare / name)
    assert run(repository, str(KAMAL), "init").returncode == 0
    done = run(repository, str(KAMAL), "init", folder=repository.bare)
    assert (done.returncode, "ERROR (RuntimeError): config cannot be written: File exists" in done.stdout) == (1, True)
    assert repository.marks == set()


def test_help_and_completion_everywhere(repository: HostileRepository) -> None:
    """Help of every command in every form, and every place of a command line where TAB can be pressed."""
    done = run(repository, sys.executable, looking.__file__)
    assert (done.returncode, done.stderr) == (0, "")
    assert repository.marks == set()


def test_help_and_completion_that_are_careless(repository: HostileRepository) -> None:
    """The check finds it: with the machine's own system and Git as it is, templates, aliases and Git leave marks."""
    run(repository, sys.executable, looking.__file__, "--careless")
    assert repository.marks >= TEMPLATE_MARKS | {"dotenv", "signature", "transport"}


def test_an_embedded_bare_repository_at_tab(repository: HostileRepository) -> None:
    """A clone can hold a folder that is a bare repository; nothing of its configuration counts."""
    words = ("__complete", "fish", "rollback", "-c", "deploy.yml", "")
    assert run(repository, str(KAMAL), *words, folder=repository.bare).stdout == ""
    assert repository.marks == set()
    run(repository, "git", "log", folder=repository.bare)
    assert repository.marks >= {"signature", "transport"}, "the check finds it"


# -- shells


KEYS = (
    "kamal ",
    "kamal rollback ",
    "kamal app boot --version ",
    "kamal app boot -h ",
    "kamal app boot -d ",
    "kamal accessory boot ",
    "kamal evil -",
    "bin/kamal ",
    "./kamal app ",
    "bin/kamal rollback ",
)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_that_is_opened_there(shell: str, repository: HostileRepository, terminals: list[Terminal]) -> None:
    """Its start-up file asks for the completion script, and TAB is pressed everywhere."""
    terminal = Terminal(shell, repository.folder, environ=environment(repository.marks_folder.parent))
    terminals.append(terminal)
    assert terminal.line("kamal redep").rstrip() == "kamal redeploy", "completion works"
    assert terminal.line("bin/kamal redep").rstrip() == "bin/kamal redeploy", "in the project's binstub too"
    for typed in KEYS:
        terminal.line(typed + TAB)
    assert repository.marks == set()


def test_a_shell_that_asks_the_program_of_the_line(repository: HostileRepository, terminals: list[Terminal]) -> None:
    """The check finds it: a completion that runs what is typed runs the project's `bin/kamal`."""
    careless = '_careless() { COMPREPLY=($("${COMP_WORDS[0]}" __complete)); }; complete -F _careless kamal'
    terminal = Terminal("bash", repository.folder, source=careless)
    terminals.append(terminal)
    terminal.line("bin/kamal ")
    assert repository.marks == {"program"}


# -- with the project


@pytest.mark.parametrize(
    "line",
    [
        "config",
        "config --resolved",
        "config --explain service",
        "config validate",
        "audit",
        "lock status",
        "details",
        "app version",
        "app details",
        "app logs",
        "server exec true",
        "server exec -i true",
        "proxy details",
        "rollback",
        "deploy --plan --skip-push",
    ],
)
def test_a_command_that_looks_at_the_project(line: str, valid: HostileRepository) -> None:
    """Neither the repository's Git configuration nor an ssh configuration that lies in it runs anything."""
    valid.forget()
    assert "is a bug" not in run(valid, str(KAMAL), *line.split(), "-H").stdout
    run(valid, str(KAMAL), *line.split(), "-H", "-c", "deploy.yml", folder=valid.bare)
    assert valid.marks <= {"secrets"}


@pytest.mark.parametrize("context", ["context: .", "context: ., remote: ssh://127.0.0.1:1"])
def test_uncommitted_changes_are_looked_for_safely(context: str, tmp_path: Path) -> None:
    """Of all that `git status` could run, only filters run, and only where the changes count; submodules too."""
    repository = HostileRepository.create(tmp_path)
    repository.make_valid()
    repository.add_submodule()
    file = repository.folder / "config" / "deploy.yml"
    file.write_text(file.read_text().replace("arch: amd64", f"arch: amd64, {context}"))
    assert "_uncommitted_" in run(repository, str(KAMAL), "config").stdout
    assert repository.marks <= {"filter"}


def test_what_git_runs_in_that_repository(repository: HostileRepository) -> None:
    """The check finds it: called as it is, Git runs all that it is asked to."""
    for arguments in (["status", "--porcelain"], ["log", "--format=%H"]):
        run(repository, "git", *arguments)
    assert repository.marks == GIT_MARKS


def test_an_ssh_configuration_that_deploy_yml_names(tmp_path: Path) -> None:
    """The check finds it: where the operator's file names it, it counts, with all that it runs."""
    repository = HostileRepository.create(tmp_path)
    repository.make_valid()
    file = repository.folder / "config" / "deploy.yml"
    file.write_text(file.read_text().replace("ssh: {port: 1}", "ssh: {port: 1, config: [.ssh/config]}"))
    run(repository, str(KAMAL), "app", "version", "-H")
    assert repository.marks >= SSH_MARKS


def test_a_program_that_secrets_come_from(tmp_path: Path) -> None:
    """The adapter `exec` runs the repository's program where a secret is used, and never where it is looked at."""
    repository = HostileRepository.create(tmp_path)
    repository.make_valid()
    file = repository.folder / "config" / "deploy.yml"
    file.write_text(file.read_text().replace("ssh: {port: 1}", "ssh: {port: 1, key_data: [KEY]}"))
    command = f"sh -c '{repository.leave('exec')}' {{}}"
    repository.write(".kamal/secrets", f'KEY=$(kamal secrets fetch --adapter exec --from "{command}" KEY)\n')
    for line in (
        "config validate --safe",
        "config --safe",
        "config validate",
        "__complete app",
        "deploy --help",
        "tree",
    ):
        run(repository, str(KAMAL), *line.split())
        assert "exec" not in repository.marks, line
    run(repository, str(KAMAL), "secrets", "print")
    assert "exec" in repository.marks, "the check would find it"


def test_what_using_the_project_runs(repository: HostileRepository) -> None:
    """The check finds it: commands that use the configuration evaluate it, and hooks and secrets are the project's."""
    run(repository, str(KAMAL), "config")
    assert repository.marks >= TEMPLATE_MARKS | {"dotenv"}
    repository.forget()
    run(repository, str(KAMAL), "evil")
    assert repository.marks >= TEMPLATE_MARKS, "an alias that is used"


def test_programs_and_modules_of_the_working_directory(repository: HostileRepository) -> None:
    """The check finds it: they run where the working directory is searched, as it never is by us."""
    run(repository, sys.executable, "-c", "import yaml")
    assert "module" in repository.marks
    run(repository, "sh", "-c", f"PATH=.:{os.environ['PATH']} git")
    assert "program" in repository.marks


def test_a_python_that_we_start_there(repository: HostileRepository) -> None:
    """It imports no module of the working directory; without its option it would."""
    arguments = proxy_image.describe("nowhere", []).arguments()
    assert arguments is not None
    program = arguments[: arguments.index("--describe")]
    assert run(repository, *program, "--help").returncode == 0
    assert repository.marks == set()
    run(repository, *(word for word in program if word != "-P"), "--help")
    assert repository.marks == {"module"}, "the check finds it"


@pytest.mark.parametrize("line", ["config", "config --resolved", "config --explain service", "config validate"])
def test_a_configuration_that_is_read_safely(line: str, repository: HostileRepository) -> None:
    """With `--safe`, and by default where pre-commit calls, nothing of it is run."""
    assert "is not run here" in run(repository, str(KAMAL), *line.split(), "--safe").stdout
    assert "is not run here" in run(repository, "env", "PRE_COMMIT=1", str(KAMAL), *line.split()).stdout
    assert repository.marks == set()


@pytest.mark.parametrize("name", ["config/deploy.yml", "config/deploy.staging.yml"])
def test_links_that_lead_in_a_circle(name: str, tmp_path: Path) -> None:
    """A file that cannot be opened is named with the reason, whoever reads it."""
    repository = HostileRepository.create(tmp_path)
    repository.make_valid()
    (repository.folder / name).unlink(missing_ok=True)
    (repository.folder / name).symlink_to(Path(name).name)
    for line in ("config", "config --safe", "config validate --safe"):
        done = run(repository, str(KAMAL), *line.split(), *(["-d", "staging"] if "staging" in name else []))
        assert (done.returncode, "Too many levels of symbolic links" in done.stdout) == (1, True), done.stdout


def test_hooks_of_the_project(valid: HostileRepository) -> None:
    """The check finds it: without `-H`, a command that connects runs `pre-connect`."""
    valid.forget()
    run(valid, str(KAMAL), "app", "version")
    assert "kamal-hook" in valid.marks


# -- Git


def test_a_signed_history_is_completed(tmp_path: Path) -> None:
    """Protection takes nothing away: versions of an ordinary repository are completed."""
    repository = HostileRepository.create(tmp_path)
    head = git(repository.folder, "rev-parse", "HEAD")
    offered = run(repository, str(KAMAL), "__complete", "bash", "kamal rollback ", "").stdout
    assert head in offered.splitlines()
