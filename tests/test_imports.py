"""The floors of the house: imports go down only, and the low rooms load without heavy packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pyembody"
FLOORS = (
    {"spec"},
    {"program", "language"},
    {"envs", "adapters"},
    {"data"},
    {"world"},
    {"plan"},
    {"learn", "analysis"},
    {"viz"},
    {"bench", "study"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
LIGHT = ("spec", "program", "language")
HEAVY = ("torch", "mujoco", "gymnasium")


def imported(path: Path) -> set[tuple[str, int]]:
    """The pyembody rooms that a file imports, with line numbers."""
    package = ("pyembody", *path.relative_to(PACKAGE).parts[:-1])
    found: set[tuple[str, int]] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{start}.{a.name}" for a in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "pyembody":
                found.add((parts[1] if len(parts) > 1 else "", node.lineno))
    return found


def room_of(path: Path) -> str:
    """The room that a file belongs to."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


FILES = sorted(p for p in PACKAGE.rglob("*.py") if room_of(p) in LEVEL)


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(p) for p in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms - set(LEVEL) == set()


@pytest.mark.parametrize("room", sorted({room_of(p) for p in FILES}))
def test_imports_go_down_only(room: str) -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {other}"
        for path in FILES
        if room_of(path) == room
        for other, line in imported(path)
        if other in LEVEL and other != room and LEVEL[other] >= LEVEL[room]
    ]
    assert wrong == []


@pytest.mark.parametrize("room", LIGHT)
def test_light_rooms_load_without_heavy_packages(room: str) -> None:
    code = f"import sys, pyembody.{room}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.strip() == "[]"
