"""`pyembody doctor`: what this machine has, what is missing, and whether a robot can be stepped."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from .tables import make_table

REQUIRED = (
    "numpy",
    "mujoco",
    "gymnasium",
    "torch",
    "numba",
    "msgspec",
    "tyro",
    "rich",
    "safetensors",
    "tensorboard",
)
EXTRAS = {
    "rerun-sdk": "recordings (.rrd)",
    "av": "videos (.mp4)",
    "matplotlib": "plots in the report",
    "h5py": "datasets of Minari",
    "pyarrow": "datasets of LeRobot",
    "stable-baselines3": "a peer of 'bench train'",
    "envpool": "a peer of 'bench env'",
}
TEST_S = 1.0


@dataclass(frozen=True)
class Finding:
    """One line of the table: what was looked at, what was found, and whether pyembody can work
    with it.
    """

    name: str
    found: str
    state: str  # "ok", "optional", "broken"


@dataclass(frozen=True)
class Doctor:
    """Check the installation: versions, compiled core, processor, optional parts, OpenGL, and a
    second of stepping.
    """

    def run(self) -> int:
        """Print one table; 1 if something that is needed does not work."""
        from rich.console import Console

        findings = [
            *_machine(),
            *_packages(),
            _guarded("OpenGL", _opengl),
            _guarded("stepping", _stepping),
        ]
        colours = {"ok": "green", "optional": "yellow", "broken": "red"}
        table = make_table("pyembody doctor", ["what"], [], "found", "")
        for finding in findings:
            colour = colours[finding.state]
            table.add_row(finding.name, finding.found, f"[{colour}]{finding.state}[/]")
        Console().print(table)
        return int(any(f.state == "broken" for f in findings))


def _machine() -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    good = sys.version_info >= (3, 11)
    return [
        Finding("Python", platform.python_version(), "ok" if good else "broken"),
        Finding("processor", f"{platform.machine()}, {cores} usable cores", "ok"),
        _guarded("compiled core", _core),
    ]


def _core() -> Finding:
    from .. import _core

    return Finding("compiled core", f"SIMD level {_core.simd_level()}", "ok")


def _packages() -> list[Finding]:
    findings = []
    for name in REQUIRED:
        version = _version(name)
        command = f"missing: pip install {name}"
        findings.append(Finding(name, version or command, "ok" if version else "broken"))
    for name, use in EXTRAS.items():
        version = _version(name)
        found = version or f"missing, for {use}: pip install {name}"
        findings.append(Finding(name, found, "ok" if version else "optional"))
    return findings


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _opengl() -> Finding:
    # In a process of its own: some drivers end the process instead of raising.
    code = "import mujoco; c = mujoco.GLContext(64, 64); c.make_current(); c.free()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    if done.returncode == 0:
        return Finding("OpenGL", "works: 'view --renderer mujoco' is possible", "ok")
    return Finding("OpenGL", "none; not needed, videos are ray-cast", "optional")


def _stepping() -> Finding:
    import numpy as np

    from ..envs import make_vec

    env = make_vec("velocity", "go2", num_envs=64)
    actions = np.zeros(env.action.shape, np.float32)
    env.reset(seed=0)
    start, steps = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < TEST_S:
        env.step(actions)
        steps += 64
    finite = bool(np.isfinite(env.observations).all())
    env.close()
    found = f"{steps / elapsed:,.0f} env-steps/s with 64 go2" + ("" if finite else ", but not finite")
    return Finding("stepping", found, "ok" if finite else "broken")


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """The check's finding, or what it raised: a doctor reports, it does not fall ill itself."""
    try:
        return check()
    except Exception as error:
        return Finding(name, " ".join(f"{type(error).__name__}: {error}".split()), "broken")
