"""`kamal secrets scan`: searches files, the history and the image for leaked secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pykamal.cli.invocation import Invocation
from pykamal.cli.loading import load
from pykamal.cli.machine_reports import print_report, silent
from pykamal.config.models import Config
from pykamal.core.diagnostic_report import text_lines
from pykamal.core.diagnostics import Severity
from pykamal.core.errors import ConfigurationError, KamalError
from pykamal.core.printable import print_error, print_line
from pykamal.events import Bus
from pykamal.operations.local.deployed_versions import remembered
from pykamal.operations.local.local_context import version_here
from pykamal.operations.secret_scan.image_search import is_here, search_image
from pykamal.operations.secret_scan.leak_report import LeakReport, Place
from pykamal.operations.secret_scan.project_search import new_report, search_project
from pykamal.secrets.interruptible import interruptible

UNEXAMINED: Final = 4
"""Exit code where nothing was found and not everything could be searched."""

_MOST_SHOWN: Final = 100


def scan(invocation: Invocation) -> int:
    """Show what leaks. The exit code is 1 for a leak, 4 where nothing leaks and something could not be searched.

    With `--strict` a warning counts as a leak.
    """
    options = invocation.options
    form = options["output"]
    loading = silent(invocation) if form != "text" else invocation
    try:
        report = _searched(loading)
    except ConfigurationError as error:
        if form == "text":
            raise
        print_report(invocation, error.diagnostics)
        return error.exit_code
    if form == "text":
        _show(report, invocation.bus)
    else:
        print_report(invocation, report.sorted(), loading.bus)
    warned = any(each.severity is Severity.WARNING and each.waiver is None for each in report.sorted())
    if report.failed or (options["strict"] and warned):
        return 1
    return UNEXAMINED if report.unexamined else 0


def _searched(invocation: Invocation) -> LeakReport:
    options = invocation.options
    loaded = load(invocation)
    report = new_report(loaded.config, loaded.secrets)
    deployed = remembered(loaded.config.service, loaded.config.destination)
    config_file, since = Path(options["config_file"]), options["since"]

    def search() -> None:
        search_project(loaded.config, config_file, report, since=since, deployed=deployed)
        _search_image(invocation, loaded.config, report)

    interruptible(search)
    return report


def _search_image(invocation: Invocation, config: Config, report: LeakReport) -> None:
    """Search the image of `--image`, else that of the version if it is on this machine."""
    given, version = invocation.options["image"], invocation.options["version"]
    try:
        image = given or config.absolute_image(version or version_here(config))
    except KamalError:  # there is no version, since there is no commit
        image = config.latest_image
    if is_here(image):
        search_image(image, report)
    elif given:
        report.not_examined(Place("image", image=given), "it is not on this machine")
    else:
        report.no_image(image)


def _show(report: LeakReport, bus: Bus) -> None:
    diagnostics = report.sorted()
    for each in diagnostics[:_MOST_SHOWN]:
        prefix = "" if each.severity is Severity.ERROR else f"{each.severity.value}: "
        print_error(bus.sanitized_text("\n".join(text_lines([each], prefix))))
    if len(diagnostics) > _MOST_SHOWN:
        print_error(f"and {len(diagnostics) - _MOST_SHOWN} more")
    searched = ", ".join(f"{number} {what}" for what, number in report.counted.items()) or "nothing"
    leaks, missed = len(report.failed), len(report.unexamined)
    found = "no leaked secret was found" if not leaks else f"{leaks} leaked {'secret' if leaks == 1 else 'secrets'}"
    missed_too = f"; {missed} not searched" if missed else ""
    print_line(f"Searched {searched}: {found}{missed_too}.")
