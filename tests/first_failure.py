"""Failures as soon as they happen: pytest's own summary comes at the end, after minutes."""

from __future__ import annotations

import pytest


class FirstFailure:
    """Writes the first failure in full and names each later one, while the run goes on."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._written = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if not report.failed or terminal is None:
            return
        terminal.line("")
        if self._written:
            terminal.line(f"failed: {report.nodeid}")
        else:
            self._written = True
            terminal.section(f"first failure, the run goes on: {report.nodeid}")
            terminal.line(report.longreprtext)
            for title, output in report.sections:
                terminal.section(title, sep="-")
                terminal.line(output)
        terminal.flush()


def show_failures_at_once(config: pytest.Config) -> None:
    """Register the plugin, except in xdist's workers, which hand their reports on."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(FirstFailure(config))
