"""Finding the run that an argument means: a run folder, one of its checkpoints, or `latest`."""

from __future__ import annotations

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


def locate(text: str, root: Path) -> Located:
    """Return the run that `text` means.

    Raises CommandError saying what was looked for and what exists.
    """
    if text == "latest":
        runs = list_runs(root)
        if not runs:
            raise CommandError(f"latest: no run in {root}/; start one with: {START}")
        return Located(runs[-1], runs[-1])
    path = Path(text).expanduser()
    if (path / SPEC_FILE).is_file():
        return Located(path, path)
    if path.parent.name == "checkpoints" and (path.parent.parent / SPEC_FILE).is_file() and path.is_dir():
        return Located(path.parent.parent, path)
    what = "is not a run (no spec.json in it)" if path.is_dir() else "does not exist"
    raise CommandError(f"{text}: {what}; expected a run folder, a checkpoint folder or 'latest'")
