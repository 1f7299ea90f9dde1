"""The order of violations: by line for people, and Ruby Kamal's for the one message that it prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pykamal.config.document import ListNode, MapNode, Node
from pykamal.config.node_reading import boolean, child
from pykamal.config.validation.violation import KeyPath, Phase, Violation

_ROOT_STAGE: Final = 1
_SECTION_STAGES: Final = {
    "servers": 2,
    "registry": 3,
    "accessories": 4,
    "aliases": 5,
    "boot": 6,
    "builder": 7,
    "env": 8,
    "logging": 9,
    "output": 10,
    "proxy": 11,
    "ssh": 12,
    "sshkit": 13,
}
CROSS_STAGE: Final = 14
MERGED_STAGE: Final = CROSS_STAGE + 12
"""Violations that only the merged settings of a role's proxy show are found when its SSL is checked."""

RUNTIME_STAGE: Final = 100
"""Settings that are checked when they are applied, after everything else."""

OWN_STAGE: Final = RUNTIME_STAGE + 1
"""Rules that Ruby Kamal does not have come after all of its own."""

_ENV_ORDER: Final = {"clear": 0, "secret": 1, "tags": 2}
"""The keys of a structured env are checked in this order, whatever the file's."""

_CREDENTIALS: Final = ("username", "password")
_ROLE_STEPS: Final = {"env": 3, "logging": 4, "proxy": 5}
_ACCESSORY_STEPS: Final = {"env": 4, "proxy": 5, "registry": 6}
_LABELS_STEP, _RESTART_STEP, _ROLES_STEP = 1, 2, 3


def in_file_order(violations: Iterable[Violation]) -> list[Violation]:
    return sorted(
        violations, key=lambda violation: (violation.position.file, violation.position.line, violation.position.column)
    )


def ruby_first(violations: Iterable[Violation], root: MapNode) -> Violation:
    """The violation at which Ruby Kamal stops (spec/config.md 2.4)."""
    return min(violations, key=lambda violation: _rank(violation, root))


def _rank(violation: Violation, root: MapNode) -> tuple[object, ...]:
    if violation.stage:
        return (violation.stage,)
    path = violation.path
    section = str(path[0]) if path else ""
    outer_type = len(path) == 1 and violation.phase == Phase.TYPE and not _is_flag(root.get("proxy"), path)
    if not path or outer_type or section not in _SECTION_STAGES:
        # The root map checks its own keys and the outer type of every section.
        return (_ROOT_STAGE, *_tree_rank(path, violation.phase, root))
    stage = _SECTION_STAGES[section]
    return (stage, *_steps(path, violation.phase, section, root), *_tree_rank(path, violation.phase, root))


def _steps(path: KeyPath, phase: Phase, section: str, root: MapNode) -> tuple[object, ...]:
    """Return the step of a check inside a role or an accessory: their own schema comes first, then the parts."""
    if section == "servers" and isinstance(root.get("servers"), MapNode):
        return (str(path[1]).encode(), _part_step(path, phase, _ROLE_STEPS)) if len(path) >= 2 else (b"", 0)
    if section == "registry":
        return (_credential_step(path),)
    if section == "accessories":
        if len(path) < 2:
            return (-1, 0)
        credential = _credential_step(path[2:]) if path[2:3] == ("registry",) else 0
        accessory = root.get("accessories")
        flag = isinstance(accessory, MapNode) and _is_flag(child(accessory, str(path[1]), "proxy"), path[2:])
        step = _ACCESSORY_STEPS["proxy"] if flag else _part_step(path, phase, _ACCESSORY_STEPS)
        return (_index(root, path[:2]), step, credential)
    return ()


def _is_flag(proxy: Node | None, path: KeyPath) -> bool:
    """Tell whether `proxy` is true or false, which passes for its type and is refused by the section itself."""
    return path == ("proxy",) and boolean(proxy) is not None


def _credential_step(path: KeyPath) -> int:
    """User name and password are looked at after everything else of a registry, whatever the file's order."""
    return _CREDENTIALS.index(str(path[1])) + 1 if len(path) > 1 and path[1] in _CREDENTIALS else 0


def _part_step(path: KeyPath, phase: Phase, steps: dict[str, int]) -> int:
    part = str(path[2]) if len(path) > 2 else ""
    if part == "labels" and phase == Phase.RULE:
        return _LABELS_STEP
    if part == "options" and phase == Phase.RULE:
        return _RESTART_STEP
    if len(path) == 2 and phase == Phase.RULE:
        return _ROLES_STEP
    inside = len(path) > 3 or phase != Phase.TYPE
    return steps.get(part, 0) if inside else 0


def _tree_rank(path: KeyPath, phase: Phase, root: MapNode) -> tuple[object, ...]:
    """Depth first in file order: a value's own type, then its unknown keys, then its children, then its rules."""
    rank: list[object] = []
    for depth in range(1, len(path) + 1):
        fixed = _ENV_ORDER.get(str(path[depth - 1])) if _in_env(path[: depth - 1]) else None
        rank += [int(Phase.CHILDREN), _index(root, path[:depth]) if fixed is None else fixed]
    return (*rank, int(phase))


def _in_env(path: KeyPath) -> bool:
    return path[-1:] == ("env",) or (len(path) == 3 and path[:2] == ("env", "tags"))


def _index(root: MapNode, path: KeyPath) -> int:
    """The place of the last step among its neighbours."""
    node: Node | None = root
    index = 0
    for step in path:
        if isinstance(node, ListNode) and int(step) < len(node.items):
            index, node = int(step), node.items[int(step)]
        elif isinstance(node, MapNode) and str(step) in node.named():
            index, entry = node.named()[str(step)]
            node = entry.node
        else:
            return len(node.entries) if isinstance(node, MapNode) else index
    return index
