"""Words to typed edits of a task: offline, deterministic, and refused rather than guessed."""

from .apply import apply_edits, check_edit, current_values, edited_task
from .edit import Edit, Refusal, Translation, Understood
from .table import EditRow, edit_table, shown_value
from .translate import translate
from .vocabulary import Language, LanguageParameter, find_language, load_language

__all__ = [
    "Edit",
    "EditRow",
    "Language",
    "LanguageParameter",
    "Refusal",
    "Translation",
    "Understood",
    "apply_edits",
    "check_edit",
    "current_values",
    "edit_table",
    "edited_task",
    "find_language",
    "load_language",
    "shown_value",
    "translate",
]
