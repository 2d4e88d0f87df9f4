"""Measure one base or several side by side, on documents that none of them was trained on.

    python examples/pretrain/evaluate.py --corpus DIR [--out DIR] BASE…

A BASE is a folder or a name dlm knows, such as pocket. Prints a table; OUT gets it as `table.md`
and `figures.json`, and a file for each base with pairs it wrote, to be read by a person. Held out
is one text in a hundred by its hash, so that every base made by this recipe has the same ones.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import Any

from recipe.command import Clock, run, write_json
from recipe.measures.learning import learning
from recipe.measures.losses import losses
from recipe.measures.material import Material, Size, material
from recipe.measures.open_book import open_book
from recipe.measures.speed import speed
from recipe.measures.table import table
from recipe.measures.writing import writing

from dlm.base_models import resolve
from dlm.engine.resident import Resident
from dlm.files import write_atomic

MEASURES = ("loss", "writing", "open-book", "learning", "speed")
LONGEST_TEXT = 1500  # characters
DOCUMENT = Path(__file__).parents[1] / "seed-dryer.dlm"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("bases", nargs="+", metavar="BASE")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of shards")
    parser.add_argument("--out", type=Path, help="a folder for what was found")
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=MEASURES)
    parser.add_argument("--texts", type=int, default=20, help="of each source (default 20)")
    parser.add_argument("--passages", type=int, default=100, help="to write about (default 100)")
    parser.add_argument("--questions", type=int, default=60, help="of each kind (default 60)")
    parser.add_argument("--document", type=Path, action="append", help="with NAME.eval.jsonl")
    parser.add_argument("--learning-rate", type=float, help="of documents; default the base's own")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clock = Clock()
    keys = [str(Path(name).resolve()) if Path(name).is_dir() else name for name in options.bases]
    context = min(resolve(key).context_length or LONGEST_TEXT for key in keys)
    size = Size(options.texts, min(LONGEST_TEXT, 2 * context), options.passages, options.questions)
    drawn = material(options.corpus, size, seed=options.seed)
    clock.say("held-out documents read")
    results: dict[str, dict[str, Any]] = {}
    for name, key in zip(options.bases, keys, strict=True):
        label = _label(name, results)
        results[label], written = measured(key, drawn, options, clock)
        if options.out and written:
            text = f"\n\n{'-' * 80}\n\n".join(written)
            _write(options.out, f"pairs-{label}.txt", text)
    print(table(results))
    if options.out:
        _write(options.out, "table.md", table(results))
        write_json(options.out / "figures.json", {"machine": platform.platform(), **results})


def measured(
    key: str, drawn: Material, options: argparse.Namespace, clock: Clock
) -> tuple[dict[str, Any], list[str]]:
    """The figures of one base, and some of the pairs it wrote."""
    found: dict[str, Any] = {}
    written: list[str] = []
    name = Path(key).name
    with Resident.open_base(key) as base:
        found["parameters"] = f"{(base.base.params or 0) / 1e6:.1f}M"
        if "loss" in options.only:
            found["loss"] = losses(base, drawn.texts)
            clock.say(f"{name}: loss")
        if "writing" in options.only:
            found["writing pairs"], written = writing(base, drawn.passages)
            clock.say(f"{name}: writing")
        if "open-book" in options.only:
            found["open book"] = open_book(base, drawn.questions)
            clock.say(f"{name}: answers from a passage")
        if "speed" in options.only:
            some = [text for texts in drawn.texts.values() for text in texts]
            found["tokens per second"] = speed(base, some)
            clock.say(f"{name}: speed")
    if "learning" in options.only:
        for document in options.document or [DOCUMENT]:
            found[f"learning {document.stem}"] = learning(key, document, options.learning_rate)
            clock.say(f"{name}: learning {document.stem}")
    return found, written


def _label(name: str, taken: dict[str, Any]) -> str:
    """A column's head: the last part of the name that says something, once."""
    parts = [part for part in Path(name).parts if part not in (".", "/", "model")]
    label = parts[-1] if parts else name
    return f"{label}-{len(taken) + 1}" if label in taken else label


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / name, (text + "\n").encode("utf-8"))


if __name__ == "__main__":
    run(main)
