"""`bench env`: VectorEnv.step against a bare loop of mj_step, and against EnvPool and Gymnasium on
the same Ant.
"""

from __future__ import annotations

from ...envs import make_vec
from ..ant import make_ant
from ..peers import Peer, envpool_ant, gymnasium_ant, installed
from ..row import LIMIT, Result, Row, Settings, compare
from ..stepping import draw_actions, stepping_samplers, usable_cores
from ..timing import interleave

FAMILY, UNIT = "env", "env-steps/s"
GO2_STD, ANT_STD = 0.3, 0.4
PACKAGES = {"envpool-sync": "envpool", "gymnasium": "imageio"}
"""What a peer needs beside our own dependencies: Gymnasium's MuJoCo environments import imageio."""


def run(settings: Settings) -> Result:
    """Measure both cases; all sides use the same number of threads."""
    threads = settings.threads or usable_cores()
    left_out = [
        f"env/ant {peer}: not installed (pip install {package})"
        for peer, package in PACKAGES.items()
        if not installed(package)
    ]
    notes = [
        f"env: {threads} threads; '{LIMIT}' is mj_setState and the frame skip's mj_step calls in "
        "a compiled loop, one MjData a thread, over the very states and controls that ours stepped."
    ]
    return Result([*_go2(settings, threads), *_ant(settings, threads)], left_out, notes)


def _go2(settings: Settings, threads: int) -> list[Row]:
    env = make_vec("velocity", "go2", settings.num_envs, threads=threads)
    actions = draw_actions(settings.steps, settings.num_envs, env.action.shape[1], GO2_STD)
    rates = interleave(stepping_samplers(env, actions, threads), settings.seconds)
    env.close()
    return compare(FAMILY, f"step/go2/{settings.num_envs}", UNIT, rates)


def _ant(settings: Settings, threads: int) -> list[Row]:
    env = make_ant(settings.ant_envs, threads)
    actions = draw_actions(settings.steps, settings.ant_envs, env.action.shape[1], ANT_STD).clip(-1, 1)
    samplers = stepping_samplers(env, actions, threads)
    peers: dict[str, Peer] = {}
    try:
        if installed(PACKAGES["envpool-sync"]):
            peers["envpool-sync"] = envpool_ant(actions, threads)
        if installed(PACKAGES["gymnasium"]):
            for mode in ("sync", "async"):
                peers[f"gymnasium-{mode}"] = gymnasium_ant(mode, actions)
        rates = interleave(samplers | {name: peer.sample for name, peer in peers.items()}, settings.seconds)
    finally:
        for peer in peers.values():
            peer.close()
        env.close()
    return compare(FAMILY, f"step/ant/{settings.ant_envs}", UNIT, rates)
