"""Shows a plan as text for people and as one event for machines."""

from __future__ import annotations

from dataclasses import dataclass

from pykamal.events import Bus, Result
from pykamal.operations.execution.plan import LOCAL, Plan, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPrinted(Result):
    """The answer to `--plan`. `phases` is plain data: name, tasks with host, title, steps, undo."""

    operation: str
    phases: tuple[dict[str, object], ...]


def show(bus: Bus, plan: Plan) -> None:
    plan = plan.coalesced()
    phases = tuple(
        {"name": phase.name, "tasks": [_task_data(task) for task in phase.tasks], "pause": phase.pause}
        for phase in plan
    )
    bus.emit(PlanPrinted(operation=plan.operation, text=as_text(plan), phases=phases))


def as_text(plan: Plan) -> str:
    """The plan for people: phases in order, hosts below them, each step with its command (secrets redacted)."""
    tasks = sum(len(phase.tasks) for phase in plan)
    lines = [f"Plan of {plan.operation}: {_counted(tasks, 'task')} in {_counted(len(plan.phases), 'phase')}"]
    for number, phase in enumerate(plan, start=1):
        lines.append(f"\n{number}. {phase.name}")
        for task in phase.tasks:
            place = "this machine" if task.host == LOCAL else task.host
            waits = f" (waits for {task.waits_for.name})" if task.waits_for else ""
            lines.append(f"   {place}: {task.title}{waits}")
            lines += [f"     - {step.name}: {_one_line(step.command.display_text())}" for step in task.script]
            if task.input is not None:
                lines.append(f"       reads {task.input} of this machine")
            if task.undo is not None:
                lines += [f"     on failure: {_one_line(step.command.display_text())}" for step in task.undo]
        if phase.pause:
            lines.append(f"   then wait {phase.pause:g} seconds")
    return "\n".join(lines)


def _task_data(task: Task) -> dict[str, object]:
    return {
        "host": task.host,
        "title": task.title,
        "role": task.role,
        "input": task.input,
        "waits_for": task.waits_for.name if task.waits_for else None,
        "steps": [
            {"name": step.name, "command": step.command.display_text(), "effect": step.command.effect.value}
            for step in task.script
        ],
        "undo": [step.command.display_text() for step in task.undo] if task.undo is not None else [],
    }


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _one_line(text: str) -> str:
    return " ".join(text.split())
