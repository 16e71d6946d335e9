"""Words to patches by a language model on any server that speaks the chat completions protocol."""

from .config import LLMConfig, load_llm_config
from .translator import LLMTranslator

__all__ = ["LLMConfig", "LLMTranslator", "load_llm_config"]
