"""`pyembody report`: the run's page, made again from what the run folder holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .locate import locate
from .options import RunPath


@dataclass(frozen=True)
class Report:
    """Write report.html of a run: curves, term shares, evaluation and video in one self-contained
    file.
    """

    path: RunPath = "latest"
    """A run folder, or 'latest'."""
    out: Path = Path("runs")
    """Folder of the runs, for 'latest'."""

    def run(self) -> int:
        """Write the page and print where it is."""
        from ..learn import read_run
        from ..viz import write_report

        folder = locate(self.path, self.out).folder
        read_run(folder)
        print(f"report: {write_report(folder)}")
        return 0
