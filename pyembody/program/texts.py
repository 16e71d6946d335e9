"""The expressions of a task by their paths."""

from __future__ import annotations

from ..spec.task import Observation, Task


def expressions(task: Task) -> dict[str, str]:
    """Return every expression of a task by its path, but for those of stages and machines."""
    found = {f"let.{n}": t for n, t in task.let.items()}
    found |= {f"terminations.{n}": t for n, t in task.terminations.items()}
    for channel, c in task.channels.items():
        found |= {f"channels.{channel}.terms.{n}.expr": t.expr for n, t in c.terms.items()}
    found |= {f"channels.{n}.gate.when": c.gate.when for n, c in task.channels.items() if c.gate and c.gate.when}
    found |= {"success": task.success} if task.success else {}
    found |= {f"terminal.{n}.when": t.when for n, t in task.terminal.items()}
    found |= {f"metrics.{n}": t for n, t in task.metrics.items()}
    for group, table in task.observations.items():
        plain = {n: o.expr if isinstance(o, Observation) else o for n, o in table.items()}
        found |= {f"observations.{group}.{n}": text for n, text in plain.items()}
    return found
