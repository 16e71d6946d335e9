"""The end of a training: evaluation, pictures, report, and what to do next.

Under torchrun only rank 0 does it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

STORE_KEY = "pyembody.run"


def finish(run: Path, *, video: bool, report: bool) -> int:
    """Evaluate and show a trained run as far as asked for; print where everything is. Returns 0."""
    if not is_lead():
        return 0
    from ..learn import read_metrics, read_run
    from ..viz.gates import gate_words
    from .eval import print_summary
    from .outcome import short_evaluation, write_page, write_pictures

    spec = read_run(run)
    lines = gate_words(read_metrics(run))
    if report:
        print("evaluating ...", flush=True)
        print_summary(short_evaluation(run, spec), spec)
    if video:
        print("drawing the video and the recording ...", flush=True)
        lines += write_pictures(run, spec)
    if report:
        lines.append(write_page(run))
    for line in lines:
        print(line)
    print(f"next: pyembody eval {run}   or   pyembody view {run}")
    return 0


def forget_evaluation(run: Path, iteration: int) -> None:
    """Remove the figures of a run that were those of an older policy, and say so."""
    from .outcome import EVALUATION

    path = run / EVALUATION
    if is_lead() and path.is_file():
        path.unlink()
        print(f"removed {path}: it judged the policy of iteration {iteration}")


def is_lead() -> bool:
    """Return whether this process is the one that speaks: the only one, or torchrun's rank 0."""
    return os.environ.get("RANK", "0") == "0"


def shared_run(make: Callable[[], Path]) -> Path:
    """Return the run folder that `make` makes; torchrun's other ranks are told rank 0's."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        return make()
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    # torchrun's agent serves this store before it starts the ranks
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, is_master=False)
    if is_lead():
        store.set(STORE_KEY, str(make()))
    return Path(store.get(STORE_KEY).decode())
