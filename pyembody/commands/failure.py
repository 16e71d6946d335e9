"""The error of a command."""

from __future__ import annotations


class CommandError(Exception):
    """A command that cannot go on: a message for the user and the exit code (2: wrong input, 1: it
    failed).
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code
