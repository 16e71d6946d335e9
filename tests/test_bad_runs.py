"""Damaged run folders, full disks, signals and dead workers: one clear error, and earlier work is whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from pyembody.cli import main
from pyembody.learn import checkpoint, create_run, load_policy, read_metrics, train
from pyembody.spec import SpecError, load_robot, load_task, load_train

BASE = ["train", "velocity", "--robot", "go2", "--num-envs", "32", "--no-video", "--no-report"]
QUICK = ["--no-video", "--no-report"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one iteration out of two."""
    out = tmp_path_factory.mktemp("runs")
    assert main([*BASE, "--workers", "1", "--iterations", "1", "--out", str(out)]) == 0
    return next((out / "velocity").iterdir())


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    copy = tmp_path / "run"
    shutil.copytree(original, copy)
    return copy


def flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def of_another_spec(path: Path) -> None:
    meta = json.loads(path.read_text())
    path.write_text(json.dumps(meta | {"spec_hash": "0" * 16}))


DAMAGES: list[tuple[str, Callable[[Path], None]]] = [
    ("checkpoints/000001/model.safetensors", flip_bit),
    ("checkpoints/000001/model.safetensors", cut),
    ("checkpoints/000001/model.safetensors", Path.unlink),
    ("checkpoints/000001/state-0.safetensors", flip_bit),
    ("checkpoints/000001/state-0.safetensors", Path.unlink),
    ("checkpoints/000001/meta.json", cut),
    ("checkpoints/000001/meta.json", of_another_spec),
    ("spec.json", cut),
    ("checkpoints/000001", shutil.rmtree),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES, ids=[f"{d.__name__} {n}" for n, d in DAMAGES])
def test_a_damaged_run_is_not_resumed(
    run: Path, name: str, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(run / name)
    before = sorted(p for p in run.rglob("*") if p.parent.name != "tb")
    assert main(["resume", str(run), "--iterations", "2", *QUICK]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "checkpoint" in error or "spec.json" in error
    assert sorted(p for p in run.rglob("*") if p.parent.name != "tb") == before


def test_a_damaged_policy_is_not_evaluated(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip_bit(run / "checkpoints/000001/model.safetensors")
    assert main(["eval", str(run), "--episodes", "1"]) == 2
    assert "model.safetensors" in capsys.readouterr().err
    assert not (run / "evaluation.json").exists()


def test_a_last_line_that_was_cut_off_does_no_harm(run: Path) -> None:
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b'{"iteration": 2, "st')
    assert main(["resume", str(run), "--iterations", "2", *QUICK]) == 0
    assert [row["iteration"] for row in read_metrics(run)] == [1, 2]


def test_leftovers_of_a_save_that_was_killed_do_no_harm(run: Path) -> None:
    half = run / "checkpoints" / ".000002.tmp"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert main(["resume", str(run), "--iterations", "2", *QUICK]) == 0
    load_policy(run / "checkpoints" / "000002")
    assert not half.exists()


def test_a_full_disk_while_saving_keeps_earlier_checkpoints(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(checkpoint, "write_synced", full)
    assert main(["resume", str(run), "--iterations", "2", *QUICK]) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "No space left" in error
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["000001"]
    load_policy(run)


def test_a_folder_that_cannot_be_written_stops_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert main([*BASE, "--out", str(tmp_path / "file" / "runs")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process of its own, ended with the block; -P: it imports the package that is tested."""
    command = [sys.executable, "-P", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def training(out: Path, workers: str) -> AbstractContextManager[subprocess.Popen[str]]:
    more = ["--out", str(out), "--workers", workers, "--iterations", "100000"]
    return process("-m", "pyembody", *BASE, *more)


def wait_for(happened: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60.0
    while not happened():
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def lines(out: Path) -> int:
    return sum(len(p.read_bytes().splitlines()) for p in out.glob("velocity/*/metrics.jsonl"))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_saves_and_says_how_to_go_on(workers: str, tmp_path: Path) -> None:
    with training(tmp_path, workers) as running:
        wait_for(lambda: lines(tmp_path) >= 2, running)
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=60)
    assert running.returncode == 130, error
    run = next((tmp_path / "velocity").iterdir())
    assert error.splitlines()[-1].endswith(f"pyembody resume {run}")
    done = int(checkpoint.latest(run).name)
    load_policy(run)
    assert main(["resume", str(run), "--iterations", str(done + 1), *QUICK]) == 0
    assert len(read_metrics(run)) == done + 1


SLOW_SAVE = """
import sys, time
from pyembody.cli import main
from pyembody.learn import checkpoint
def write_half(path, data):
    path.write_bytes(data[: len(data) // 2])
    time.sleep(60)
checkpoint.write_synced = write_half
sys.exit(main(sys.argv[1:]))
"""


def test_a_second_interrupt_during_the_save_stops_at_once_and_keeps_earlier_checkpoints(run: Path) -> None:
    with process("-c", SLOW_SAVE, "resume", str(run), "--iterations", "100000", *QUICK) as running:
        wait_for(lambda: len((run / "metrics.jsonl").read_bytes().splitlines()) >= 3, running)
        running.send_signal(signal.SIGINT)
        wait_for(lambda: any((run / "checkpoints").glob(".*.tmp/model.safetensors")), running)
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=30)
    assert running.returncode == 130, error
    kept = run / "checkpoints" / "000001"
    assert error == (
        f"pyembody: stopped at once; the newest checkpoint is {kept}; go on with: pyembody resume {run}\n"
    )
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["000001"]
    load_policy(run)
    assert main(["resume", str(run), "--iterations", "2", *QUICK]) == 0
    assert [row["iteration"] for row in read_metrics(run)] == [1, 2]


def test_two_interrupts_of_all_workers_end_the_training_at_once(tmp_path: Path) -> None:
    with training(tmp_path, "2") as running:
        wait_for(lambda: lines(tmp_path) >= 1, running)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        for _ in range(2):  # what a terminal does: every process gets each of them
            for pid in (*map(int, children), running.pid):
                os.kill(pid, signal.SIGINT)
        _, error = running.communicate(timeout=60)
    assert running.returncode == 130, error
    assert error.splitlines()[-1].startswith("pyembody: stopped"), error
    run = next((tmp_path / "velocity").iterdir())
    for folder in checkpoint.find(run):
        load_policy(folder)


def test_a_killed_worker_ends_the_training_with_one_line(tmp_path: Path) -> None:
    with training(tmp_path, "2") as running:
        wait_for(lambda: lines(tmp_path) >= 1, running)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        _, error = running.communicate(timeout=60)
    assert running.returncode == 1, error
    assert error.splitlines()[-1].startswith("pyembody: worker 1")


def test_a_kill_at_any_moment_leaves_whole_checkpoints(tmp_path: Path) -> None:
    settings = {"num_envs": 32, "horizon": 4, "checkpoint_every": 1, "iterations": 100_000}
    quick = replace(load_train("velocity"), **settings)
    run = create_run(load_task("velocity"), load_robot("go2"), quick, out=tmp_path)
    code = "import sys, pathlib, pyembody.learn as l; l.train(pathlib.Path(sys.argv[1]), workers=1)"
    with process("-c", code, str(run)) as running:
        wait_for(lambda: len(checkpoint.find(run)) >= 3, running)
        running.kill()
        running.wait()
    for folder in checkpoint.find(run):
        load_policy(folder)
    with pytest.raises(SpecError, match="go on with: pyembody resume"):
        train(run)
