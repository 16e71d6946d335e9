"""Several processes: they agree with themselves, resume, stop together and die together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pyembody.analysis import record
from pyembody.envs import VectorEnv
from pyembody.learn import checkpoint, create_run, load_policy, read_run, resume, train
from pyembody.learn.distributed import open_store
from pyembody.spec import Train, load_robot, load_task
from pyembody.spec.task import Term
from test_learn_run import without_times

SMALL = Train(
    num_envs=32,
    horizon=6,
    actor_hidden=(16,),
    critic_hidden=(8,),
    checkpoint_every=1000,
    iterations=100_000,
)
TRAIN = "import sys; from pathlib import Path; from pyembody.learn import train; train(Path(sys.argv[1]), workers=2)"
RANK = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_learn_run import toy
from pyembody.learn import train
train(Path(sys.argv[1]), iterations=3, progress=False, make_env=toy)
sys.exit("torch._dynamo" in sys.modules)  # torch's compiler costs a second to load
"""


def new_run(tmp_path: Path, *terms: str) -> Path:
    """A new run of velocity, with more terms."""
    task = load_task("velocity")
    channel = task.channels["task"]
    more = {f"more{i}": Term(text, 0.01, "none") for i, text in enumerate(terms)}
    channel = msgspec.structs.replace(channel, terms=channel.terms | more)
    task = msgspec.structs.replace(task, channels=task.channels | {"task": channel})
    return create_run(task, load_robot("go2"), SMALL, 0, (), tmp_path)


def model_of(run: Path) -> dict[str, np.ndarray]:
    return checkpoint.load(checkpoint.latest(run), 1)[1]


def test_two_processes_repeat_themselves_and_resume_bit_for_bit(tmp_path: Path) -> None:
    whole, parts = (new_run(tmp_path, "normalise(base_pos[2], 0.001)") for _ in range(2))
    train(whole, iterations=2, workers=2, progress=False)
    train(parts, iterations=1, workers=2, progress=False)
    resume(parts, iterations=2, progress=False)
    assert without_times(whole) == without_times(parts)
    first, second = model_of(whole), model_of(parts)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    layout = read_run(whole).layout
    assert layout is not None and layout.workers == 2
    assert not list(whole.glob("worker-*.log"))
    assert os.sched_getaffinity(0) == os.sched_getaffinity(os.getppid())
    assert np.isfinite(
        load_policy(whole)(np.zeros((1, load_policy(whole).observation_size), np.float32))
    ).all()


def test_all_processes_normalise_rewards_alike_and_keep_that_with_the_policy(tmp_path: Path) -> None:
    runs = [new_run(tmp_path, "normalise(base_pos[2], 0.001)") for _ in range(2)]
    for run, workers in zip(runs, (1, 2), strict=True):
        train(run, iterations=1, workers=workers, progress=False)
    states = [checkpoint.load(checkpoint.latest(runs[1]), rank)[2] for rank in range(2)]
    moments, policy = states[0]["env.moments"], load_policy(runs[1])
    np.testing.assert_array_equal(moments, states[1]["env.moments"])
    assert moments[0, 0] == SMALL.num_envs * SMALL.horizon and policy.statistics is not None
    np.testing.assert_array_equal(moments, policy.statistics)
    one = load_policy(runs[0]).statistics
    assert one is not None and one[0, 0] == moments[0, 0]
    np.testing.assert_allclose(one[1], moments[1], rtol=0.05)
    env = VectorEnv(read_run(runs[1]).task, load_robot("go2"), 2, threads=1)
    record(env, policy, seconds=2 * env.control_dt)
    np.testing.assert_array_equal(env.state_dict()["moments"], moments)
    assert env.params[env.program.params["normalise.1.mean"].index] == np.float32(moments[1, 0])


def started(run: Path) -> subprocess.Popen[str]:
    """A two-process training that has done its first iteration."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", TRAIN, str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    log = run / "metrics.jsonl"
    while not log.is_file() or not log.read_bytes():
        assert process.poll() is None, process.stdout and process.stdout.read()
        time.sleep(0.05)
    return process


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_processes_have_a_core_each_and_control_c_saves_and_ends_all(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    process = started(run)
    workers = children(process.pid)
    cores = [os.sched_getaffinity(pid) for pid in (process.pid, *workers)]
    assert [len(c) for c in cores] == [1, 1] and (cores[0] != cores[1] or os.cpu_count() == 1)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert f"pyembody resume {run}" in said
    assert workers and all(gone(pid) for pid in workers)
    assert checkpoint.read_meta(checkpoint.latest(run)).workers == 2


def test_a_worker_that_dies_takes_the_others_down_with_one_message(tmp_path: Path) -> None:
    process = started(new_run(tmp_path))
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    said, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "WorkerError: worker 1: ended with signal 9" in said.strip().splitlines()[-1]


def test_a_worker_outlives_no_lead(tmp_path: Path) -> None:
    process = started(new_run(tmp_path))
    (worker,) = children(process.pid)
    process.kill()
    process.communicate(timeout=30)
    assert gone(worker)


def test_processes_of_torchrun_join_by_their_environment(tmp_path: Path) -> None:
    from test_learn_run import new_run as new_toy

    run = new_toy(tmp_path)
    script = tmp_path / "rank.py"
    script.write_text(RANK.format(tests=str(Path(__file__).parent)))
    port = open_store(2).port + 1
    ranks: list[Any] = []
    for rank in range(2):
        variables = {
            "RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        ranks.append(
            subprocess.Popen([sys.executable, str(script), str(run)], env=os.environ | variables)
        )
    assert [p.wait(timeout=60) for p in ranks] == [0, 0]
    assert checkpoint.read_meta(checkpoint.latest(run)).workers == 2


def test_a_layout_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers: expected a divisor of num_envs = 32, got 3"):
        train(new_run(tmp_path), workers=3)
