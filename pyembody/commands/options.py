"""Options that several commands share, as `--help` shows them: without a default that says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

RunPath = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="[RUN]")]
TaskPath = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TASK")]
TaskOrFile = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TASK|FILE")]
Name = Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Text = Annotated[str, tyro.conf.arg(metavar="TEXT", help_behavior_hint="")]
OptionalText = Annotated[str | None, tyro.conf.arg(metavar="TEXT", help_behavior_hint="")]
OptionalName = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
OptionalPath = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
Count = Annotated[int, tyro.conf.arg(metavar="N", help_behavior_hint="")]
"""A number whose 0 the help text explains."""
Codes = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[CODE ...]", help_behavior_hint="")]
Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME ...]", help_behavior_hint="")]
Numbers = Annotated[tuple[int, ...], tyro.conf.arg(metavar="[N ...]", help_behavior_hint="")]
Places = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME=NUMBER ...]", help_behavior_hint="")]
Engine = Annotated[
    Literal["", "auto", "core", "torch"], tyro.conf.arg(metavar="auto|core|torch", help_behavior_hint="")
]
Algorithm = Annotated[Literal["", "ppo", "sac", "mbpo"], tyro.conf.arg(metavar="ppo|sac|mbpo", help_behavior_hint="")]
