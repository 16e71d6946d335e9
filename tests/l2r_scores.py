"""Scores of the offline translator on sentences that its words were not tuned on: `python tests/l2r_scores.py`."""

from __future__ import annotations

import statistics
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyembody.language import load_language
from pyembody.language.dialogue import Behaviour, Dialogue, Lexicon, Unsupported, say
from pyembody.spec.load import data_folder

DATA = Path(__file__).parent / "data"


@dataclass
class Score:
    """How a task's sentences were taken: as meant, wrongly, or not at all; with those that were not as meant."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.right + len(self.wrong) + len(self.unsupported)


def sentences(name: str = "l2r_paraphrases") -> dict[str, Any]:
    """The cases of a file of `tests/data`."""
    return tomllib.loads((DATA / f"{name}.toml").read_text(encoding="utf-8"))


def lexicons() -> dict[str, Lexicon]:
    """The prepared languages of both vocabularies."""
    folder = data_folder("tasks")
    return {name: Lexicon(load_language(folder / name)) for name in ("quadruped", "manipulation")}


READY = lexicons()


def dialogue(*texts: str, vocabulary: str = "quadruped") -> Dialogue:
    """A dialogue in which some texts were said, all of them understood."""
    state = Dialogue(READY[vocabulary])
    for text in texts:
        turn = say(text, state)
        assert not isinstance(turn, Unsupported), str(turn)
    return state


def after(turns: list[str], lexicon: Lexicon) -> Behaviour | Unsupported:
    """The behaviour after some turns, or the first that is not understood."""
    state = Dialogue(lexicon)
    for text in turns:
        turn = say(text, state)
        if isinstance(turn, Unsupported):
            return turn
    return state.behaviour


def paraphrase_scores(data: dict[str, Any], ready: dict[str, Lexicon]) -> dict[str, Score]:
    """A score per task: a paraphrase is right if it leads to exactly what the canonical line leads to."""
    scores: dict[str, Score] = {}
    for case in data["case"]:
        lexicon, before = ready[case["vocabulary"]], case.get("before", [])
        wanted = after([*before, *case["canonical"]], lexicon)
        score = scores.setdefault(case["task"], Score())
        for said in case["paraphrases"]:
            turns = [said] if isinstance(said, str) else said
            got = after([*before, *turns], lexicon)
            if isinstance(got, Unsupported):
                score.unsupported.append(f"{' | '.join(turns)}  ->  {got}")
            elif got == wanted:
                score.right += 1
            else:
                score.wrong.append(" | ".join(turns))
    return scores


def refusal_score(data: dict[str, Any], ready: dict[str, Lexicon]) -> Score:
    """How many requests out of scope are refused (`unsupported`), and which are taken (`wrong`)."""
    score = Score()
    for vocabulary, texts in data["out_of_scope"].items():
        for text in texts:
            got = after([text], ready[vocabulary])
            (score.unsupported if isinstance(got, Unsupported) else score.wrong).append(text)
    return score


def milliseconds(data: dict[str, Any], ready: dict[str, Lexicon]) -> list[float]:
    """Seconds of CPU in thousandths for each paraphrase of one turn, sorted."""
    spent = []
    for case in data["case"]:
        for said in case["paraphrases"]:
            state = Dialogue(ready[case["vocabulary"]])
            start = time.process_time()
            say(said if isinstance(said, str) else said[0], state)
            spent.append((time.process_time() - start) * 1e3)
    return sorted(spent)


def main(name: str, verbose: bool) -> None:
    """Print the table."""
    data, ready = sentences(name), READY
    scores = paraphrase_scores(data, ready)
    for task, score in scores.items():
        print(
            f"{task:16} {score.right:3}/{score.count:3}  wrong {len(score.wrong)}  unsupported {len(score.unsupported)}"
        )
        for text in (*score.wrong, *score.unsupported) if verbose else ():
            print(f"    {text}")
    right, count = sum(s.right for s in scores.values()), sum(s.count for s in scores.values())
    wrong = sum(len(s.wrong) for s in scores.values())
    print(f"{'all':16} {right:3}/{count:3} = {right / count:.3f}  wrong {wrong}")
    if "out_of_scope" in data:
        refused = refusal_score(data, ready)
        print(f"{'out of scope':16} refused {len(refused.unsupported)}/{refused.count}")
        print("\n".join(f"    {text}" for text in refused.wrong if verbose))
    spent = milliseconds(data, ready)
    print(f"{'ms a sentence':16} median {statistics.median(spent):.2f}  most {spent[-1]:.2f}")


if __name__ == "__main__":
    main(next((a for a in sys.argv[1:] if not a.startswith("-")), "l2r_paraphrases"), "-v" in sys.argv)
