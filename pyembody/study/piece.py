"""One piece of a study in a process of its own: `python -m pyembody.study.piece OUT PIECE CORE...`, the piece as JSON.

`OUT` holds the study's file.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..analysis import evaluate
from ..envs import VectorEnv
from ..learn import checkpoint, create_run, load_policy, read_metrics, train
from ..spec import decode
from ..spec.files import write_atomic
from .coverage import cover_metrics
from .plan import Piece, Result, make_specs, piece_hash, run_folder, same_seed
from .skill_actions import FrozenSkills
from .spec import STUDY, Study

POINTS = 40
"""Points of a curve; each is the mean over the iterations since the one before."""
EVALUATION_SEED = 1000


def run_piece(study: Study, piece: Piece, out: Path) -> Result:
    """Train and judge a piece, and write its result below `out`. Raises SpecError."""
    task, robot, config = make_specs(study, piece, out / "runs")
    skills = _skills(study, piece, out / "runs")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=out) as folder:
        run = create_run(task, robot, config, piece.seed, out=Path(folder))
        train(run, progress=False, make_env=skills.make_env if skills else None)
        seconds = time.perf_counter() - start
        env = VectorEnv(task, robot, study.episodes, seed=piece.seed)
        env.frozen_statistics = True
        policy = skills.policy(load_policy(run), env) if skills else load_policy(run)
        found = evaluate(env, policy, study.episodes, (EVALUATION_SEED,), controls=False)
        metrics = {name: mean.mean for name, mean in found.metrics.items()}
        metrics |= {"episode_length": found.episode_length.mean, "fall_rate": found.fall_rate.rate}
        if found.power is not None:
            metrics["power"] = found.power.mean
        if study.cover is not None:
            metrics |= cover_metrics(env, policy, study.cover, EVALUATION_SEED)
        rows = read_metrics(run)
        _keep(study, piece, run, run_folder(out / "runs", piece))
    steps, curve, shaped = _curves(rows, study)
    digest = piece_hash(study, piece, out / "runs")
    result = Result(piece, digest, found.success.rate, metrics, steps, curve, shaped, seconds)
    write_atomic(out / "pieces" / f"{piece.name}.json", msgspec.json.encode(result) + b"\n")
    return result


def _skills(study: Study, piece: Piece, runs: Path) -> FrozenSkills | None:
    arm = study.arms[piece.arm]
    if not arm.skills_of:
        return None
    return FrozenSkills(run_folder(runs, same_seed(study, arm.skills_of, piece)), arm.every)


def _keep(study: Study, piece: Piece, run: Path, kept: Path) -> None:
    """Keep what other pieces read of a run: specifications, metrics, and the last checkpoint if they act by it."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for name in ("spec.json", "metrics.jsonl"):
        shutil.copyfile(run / name, kept / name)
    if any(arm.skills_of == piece.arm for arm in study.arms.values()):
        last = checkpoint.latest(run)
        shutil.copytree(last, kept / last.relative_to(run))


def _curves(rows: list[dict[str, Any]], study: Study) -> tuple[list[int], list[float], list[float]]:
    """Steps, success and shaped return along the training."""
    shaping = study.shaping or tuple(rows[0]["channels"])
    blocks = np.array_split(np.arange(len(rows)), min(POINTS, len(rows)))
    steps, curve, shaped = [], [], []
    for block in blocks:
        part = [rows[i] for i in block]
        ended = sum(r["episodes"] for r in part)
        steps.append(int(part[-1]["steps"]))
        curve.append(sum(r["success"] * r["episodes"] for r in part) / max(ended, 1))
        shaped.append(float(np.mean([sum(r["channels"].get(n, 0.0) for n in shaping) for r in part])))
    return steps, curve, shaped


def main(arguments: list[str]) -> int:
    """Run the piece of the arguments; return the exit status."""
    out, piece = Path(arguments[0]), msgspec.json.decode(arguments[1], type=Piece)
    os.sched_setaffinity(0, [int(core) for core in arguments[2:]])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run_piece(decode(Study, (out / STUDY).read_bytes(), str(out / STUDY)), piece, out)
    except KeyboardInterrupt:
        return 130
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
