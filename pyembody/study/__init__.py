"""Studies: one task, several arms, several seeds, equal steps; figures with intervals."""

from .plan import Piece, plan_pieces
from .run import run_study
from .spec import Study, list_studies, load_study

__all__ = ["Piece", "Study", "list_studies", "load_study", "plan_pieces", "run_study"]
