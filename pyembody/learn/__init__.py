"""Learning: PPO with a critic per reward channel, over the environments of `pyembody.envs`."""

from .launch import WorkerError
from .live import read_edits, request_edit
from .logs import read_metrics
from .policy import Policy, load_policy
from .ppo import NotFiniteError
from .run_folder import RunSpec, create_run, read_run
from .runner import Interrupted, resume, train

__all__ = [
    "Interrupted",
    "NotFiniteError",
    "Policy",
    "RunSpec",
    "WorkerError",
    "create_run",
    "load_policy",
    "read_edits",
    "read_metrics",
    "read_run",
    "request_edit",
    "resume",
    "train",
]
