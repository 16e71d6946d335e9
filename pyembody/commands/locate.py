"""Finding the run that an argument means: a run folder, one of its checkpoints, or `latest`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .failure import CommandError

SPEC_FILE = "spec.json"
START = "pyembody train velocity --robot go2"


@dataclass(frozen=True)
class Located:
    """A run folder, and what to load the policy from: the folder itself or one of its
    checkpoints.
    """

    folder: Path
    source: Path


def list_runs(root: Path) -> list[Path]:
    """Return the run folders below `root`, oldest first."""
    runs = [path.parent for path in root.glob(f"*/*/{SPEC_FILE}")]
    return sorted(runs, key=lambda path: (path / SPEC_FILE).stat().st_mtime)


def newest_iteration(run: Path) -> int:
    """Return the iteration of a run's newest checkpoint, 0 without one."""
    return max((int(p.name) for p in (run / "checkpoints").glob("[0-9]*") if p.name.isdigit()), default=0)


def _unfinished(run: Path) -> str:
    """How far a run came that has fewer iterations than it was started with."""
    try:
        asked = int(json.loads((run / SPEC_FILE).read_text(encoding="utf-8"))["train"]["iterations"])
    except (ValueError, LookupError, TypeError):
        return ""  # damaged: whoever reads it says so
    done = newest_iteration(run)
    return f" (unfinished: {done} of {asked} iterations are saved)" if done < asked else ""


def locate(text: str, root: Path) -> Located:
    """Return the run that `text` means; for `latest`, say which one that is and whether it is unfinished.

    Raises CommandError saying what was looked for and what exists.
    """
    if text == "latest":
        runs = list_runs(root)
        if not runs:
            raise CommandError(f"latest: no run in {root}/; start one with: {START}")
        print(f"latest: {runs[-1]}{_unfinished(runs[-1])}", flush=True)
        return Located(runs[-1], runs[-1])
    path = Path(text).expanduser()
    if (path / SPEC_FILE).is_file():
        return Located(path, path)
    if path.parent.name == "checkpoints" and (path.parent.parent / SPEC_FILE).is_file() and path.is_dir():
        return Located(path.parent.parent, path)
    what = "is not a run (no spec.json in it)" if path.is_dir() else "does not exist"
    raise CommandError(f"{text}: {what}; expected a run folder, a checkpoint folder or 'latest'")
