"""Frozen specifications of robots and tasks. Imports nothing of the rest."""

from .errors import SpecError
from .gate import Adaptive, Gate, Gates
from .load import (
    canonical,
    convert,
    decode,
    find_folder,
    list_robots,
    list_tasks,
    list_variants,
    load_learning,
    load_mbpo,
    load_offline,
    load_robot,
    load_sac,
    load_task,
    load_train,
    spec_hash,
)
from .robot import Control, Mirror, Physics, Robot
from .signal import Signal
from .skills import Skills
from .tables import Edge, Learned, Schedule, Stage, Staging, Table, Template, Terminal
from .task import Channel, Command, Observation, Parameter, Task, Term
from .train import Learning, Mbpo, Offline, Sac, Train

__all__ = [
    "Adaptive", "Channel", "Command", "Control", "Edge", "Gate", "Gates", "Learned", "Learning", "Mbpo", "Mirror",
    "Observation", "Offline", "Parameter", "Physics", "Robot", "Sac", "Schedule", "Signal", "Skills", "SpecError",
    "Stage", "Staging", "Table", "Task", "Template", "Term", "Terminal", "Train", "canonical", "convert", "decode",
    "find_folder", "list_robots", "list_tasks", "list_variants", "load_learning", "load_mbpo", "load_offline",
    "load_robot", "load_sac", "load_task", "load_train", "spec_hash",
]
