"""pyembody: say what a robot should do; get a reward program, a behaviour, and every number explained."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

try:
    __version__ = version("pyembody")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+source"

if TYPE_CHECKING:
    from .program.reward_program import RewardProgram as RewardProgram


def __getattr__(name: str) -> Any:
    """Load what the package offers when it is first asked for, so that importing it stays light."""
    if name == "RewardProgram":
        from .program.reward_program import RewardProgram

        return RewardProgram
    raise AttributeError(f"module 'pyembody' has no attribute '{name}'")
