"""`pyembody resume`: go on with a run that was stopped, exactly where it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .checks import at_least
from .locate import locate, newest_iteration
from .options import Count, RunPath

DISTILLATION = "distill.json"
"""What only a run of distill has."""


@dataclass(frozen=True)
class Resume:
    """Go on with a run from its newest checkpoint; the result is that of a run that was never
    stopped.
    """

    path: RunPath = "latest"
    """A run folder, or 'latest'."""
    iterations: Count = 0
    """Iterations in total; 0: as the run was started with."""
    out: Path = Path("runs")
    """Folder of the runs, for 'latest'."""
    video: bool = True
    """Write the video and the recording at the end."""
    report: bool = True
    """Evaluate shortly and write the report at the end."""

    def run(self) -> int:
        """Train on; print where the results are and what to run next."""
        at_least("iterations", self.iterations, 0)
        folder = locate(self.path, self.out).folder
        if (folder / DISTILLATION).is_file():
            from .distill import go_on

            return go_on(folder)

        from ..learn import resume
        from .finish import finish, forget_evaluation

        before = newest_iteration(folder)
        try:
            resume(folder, iterations=self.iterations or None)
        finally:  # an interrupt saves a newer policy too
            if newest_iteration(folder) != before:
                forget_evaluation(folder, before)
        return finish(folder, video=self.video, report=self.report)
