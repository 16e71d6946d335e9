"""Sentences of a dialogue to patches of a behaviour that a planner follows."""

from .behaviour import Behaviour, Patch, Stage, Unsupported, apply_patch, checked
from .describe import describe, planner_of, skill_of
from .lexicon import Lexicon
from .state import Dialogue, Turn
from .translate import say, translate

__all__ = [
    "Behaviour",
    "Dialogue",
    "Lexicon",
    "Patch",
    "Stage",
    "Turn",
    "Unsupported",
    "apply_patch",
    "checked",
    "describe",
    "planner_of",
    "say",
    "skill_of",
    "translate",
]
