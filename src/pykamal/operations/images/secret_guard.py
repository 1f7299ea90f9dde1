"""Refuses to deliver where secrets leak (`x-pykamal/secrets/guard`).

Files and the history are searched before anything else, for a plan as well. The image is searched once it is built, and
before any host pulls it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from pykamal.commands import docker, git
from pykamal.commands.script import Step, script
from pykamal.core.diagnostic_report import text_lines
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import LOCAL, Phase, Plan, Task
from pykamal.operations.local.deployed_versions import remembered
from pykamal.operations.secret_scan.image_search import search_image
from pykamal.operations.secret_scan.leak_report import LeakReport, Place
from pykamal.operations.secret_scan.project_search import new_report, search_project
from pykamal.transport.program import end_programs

_REMEDY: Final = "take the secrets out and give them new values, or accept what is harmless (`kamal secrets scan`)"


def is_on(context: Context) -> bool:
    return context.config.extension.secrets.guard


async def refuse_leaks_of_project(context: Context) -> None:
    """Search files and the history, once in a run. Raises `KamalError` where something leaks or was not searched."""
    if not is_on(context) or context.leaks_refused:
        return
    context.leaks_refused = True
    step = Step("commit to search", git.revision().failing_allowed())
    announcement = "Search files and the history for leaked secrets..."
    await context.execute(_plan(context, "search files and history", step, announcement))
    config, settings = context.config, context.settings
    deployed = remembered(config.service, config.destination)
    report = new_report(config, context.secrets)
    await _in_thread(lambda: search_project(config, Path(settings.config_file), report, deployed=deployed))
    _refuse(report, "Files or the history of this repository hold secrets")


async def refuse_leaks_of_image(context: Context) -> None:
    """Pull the image of the version and search it. Raises as for the project."""
    image = context.config.absolute_image(context.version)
    step = Step("image to search", docker.pull(image))
    await context.execute(_plan(context, "search image", step, "Search the image for leaked secrets..."))

    async def search() -> None:
        report = new_report(context.config, context.secrets)
        if len(context.config.builder.arches) > 1:
            report.not_examined(Place("image", image=image), "only the variant for this machine can be")
        await _in_thread(lambda: search_image(image, report))
        _refuse(report, f"The image {image} holds secrets")

    await context.executor.beside(search)


def _plan(context: Context, name: str, step: Step, announcement: str) -> Plan:
    task = Task(LOCAL, f"{name} for leaked secrets", script(step))
    return Plan(context.operation, (Phase(f"{name} for leaked secrets", (task,), (announcement,)),))


def _refuse(report: LeakReport, message: str) -> None:
    found = [*report.failed, *report.unexamined]
    if found:
        what = message if report.failed else "Not everything could be searched for leaked secrets"
        raise KamalError(
            f"{what} (x-pykamal/secrets/guard)", details=text_lines(found), hint=_REMEDY, diagnostics=found
        )


async def _in_thread(work: Callable[[], None]) -> None:
    """Do the work in a thread that the end of the run does not wait for. The programs that it started end with it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def run() -> None:
        failure: BaseException | None = None
        try:
            work()
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the run has ended, and its loop is closed
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, name="search", daemon=True).start()
    try:
        await done
    except asyncio.CancelledError:
        end_programs()
        raise
