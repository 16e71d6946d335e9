"""The command line: arguments in, one command run, one exit code out."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Annotated

import tyro
from tyro.conf import OmitSubcommandPrefixes, subcommand

from . import __version__
from .commands.bench import Bench
from .commands.chat import Chat
from .commands.dataset import DatasetCommand
from .commands.distill import DistillCommand
from .commands.do import Do
from .commands.doctor import Doctor
from .commands.eval import Eval
from .commands.failure import CommandError
from .commands.l2r import L2r
from .commands.listing import List
from .commands.report import Report
from .commands.resume import Resume
from .commands.reward import Reward
from .commands.robot import RobotCommand
from .commands.study import StudyCommand
from .commands.train import Train
from .commands.view import View
from .commands.world import WorldCommand
from .spec.errors import nearest

EXIT_FAILURE, EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143
HELP_INDENT = " " * 9  # in a box that tells what is missing, the help text of each option
COMMANDS = (
    "train", "resume", "eval", "view", "report", "list", "doctor", "robot", "reward", "l2r", "do", "chat",
    "distill", "bench", "study", "dataset", "world",
)

Command = OmitSubcommandPrefixes[
    Annotated[Train, subcommand("train")]
    | Annotated[Resume, subcommand("resume")]
    | Annotated[Eval, subcommand("eval")]
    | Annotated[View, subcommand("view")]
    | Annotated[Report, subcommand("report")]
    | Annotated[List, subcommand("list")]
    | Annotated[Doctor, subcommand("doctor")]
    | Annotated[RobotCommand, subcommand("robot")]
    | Annotated[Reward, subcommand("reward")]
    | Annotated[L2r, subcommand("l2r")]
    | Annotated[Do, subcommand("do")]
    | Annotated[Chat, subcommand("chat")]
    | Annotated[DistillCommand, subcommand("distill")]
    | Annotated[Bench, subcommand("bench")]
    | Annotated[StudyCommand, subcommand("study")]
    | Annotated[DatasetCommand, subcommand("dataset")]
    | Annotated[WorldCommand, subcommand("world")]
]

ABOUT = """Say what a robot should do; get a reward program, a behaviour, every number explained.

Start with: pyembody train velocity --robot go2. Every command answers --help; --debug shows the
traceback of an error, --version the version."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (default: the process's arguments) and return its exit code.

    0 done, 1 the command failed, 2 the input was wrong, 130 interrupted, 143 terminated. Errors are one
    line on standard error.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    try:
        with _terminable():
            return _run(arguments)
    except Terminated:
        print("pyembody: terminated", file=sys.stderr)
        return EXIT_TERMINATED
    except KeyboardInterrupt as stop:
        print(f"pyembody: {stop or 'interrupted'}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone (`pyembody list | head`): leave quietly, also at
        # interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except Exception as error:
        if debug:
            traceback.print_exc()
        print(f"pyembody: {_one_line(error)}", file=sys.stderr)
        return _exit_code(error)


class Terminated(BaseException):
    """SIGTERM, which ends the command as an exception does: half-written files go, pools are closed."""


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Raise Terminated at SIGTERM; outside the main thread Python delivers no signals. Training has its own way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise Terminated

    old = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(f"pyembody {__version__}")
        return 0
    if not arguments:
        arguments = ["--help"]
    if arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
        raise CommandError(f"unknown command '{arguments[0]}'{nearest(arguments[0], COMMANDS)}")
    return _parse(arguments).run()


def _parse(arguments: list[str]) -> Command:
    """The command's dataclass.

    tyro draws its errors as boxes; here they become one line and a CommandError.
    """
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            return tyro.cli(Command, prog="pyembody", description=ABOUT, args=arguments)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise CommandError(_unbox(box.getvalue())) from None


def _unbox(text: str) -> str:
    """The first part of a box drawn by tyro, as one line, with the nearest option if tyro names
    one.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [line for line in plain.splitlines()[1:] if line[:1] in "│ "]
    words = " ".join(line.strip("│ ") for line in lines if not line.lstrip("│").startswith(HELP_INDENT))
    # Without box characters rules are hyphens, and the first one is under the title.
    parts = [part.strip() for part in re.split(r"[─-]{5,}", words) if part.strip()] or [plain]
    message = parts[0].split(" Got errors:")[0].removesuffix("(required)").rstrip(". ")
    message = message[:1].lower() + message[1:]
    missing = re.fullmatch(r"missing from pyembody (.*?): (.*)", message)
    if missing:
        return f"{missing.group(1)}: expected {missing.group(2)}; see pyembody {missing.group(1)} --help"
    for part in parts[1:]:
        option = re.search(r"Perhaps you meant.*?(--[\w-]+)", part)
        if option:
            return f"{message}, did you mean '{option.group(1)}'?"
        commands = re.match(r"Available subcommands: (.*)", part)
        if commands:
            return f"{message}; expected one of {commands.group(1)}"
    return message


def _exit_code(error: Exception) -> int:
    if isinstance(error, CommandError):
        return error.code
    wrong_input = isinstance(error, (ValueError, FileNotFoundError))
    return EXIT_BAD_INPUT if wrong_input else EXIT_FAILURE


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())
