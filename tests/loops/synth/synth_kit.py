"""Documents and `cli:` teachers for the tests of synthesis."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strategies import DLM_ID

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.loops.synth import SynthOptions
from dlm.loops.synth.run import Asking, Outcome, synthesize
from dlm.store.database import Database
from dlm.store.store import Store

HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\n\n"
PROSE = """# The Otterby seed dryer

It was designed by Maud Garrow, a clockmaker, who lost a harvest of peas to mould. Ines Calloway \
made the first wheel in 1987.

## Drying

Lettuce seed needs fourteen hours. Tomato seed takes twenty hours, and it must be stirred once. \
Beans are dried at thirty-one degrees. The drawer holds 80 millilitres, which is enough for four \
runs. Code E4 means that the fan is blocked. Code E7 means that the door was opened.

## Repairs

Repairs are done in Pell Quay on the first Saturday of every month. The warranty lasts thirty \
months. The spare parts are sold by Peter Loom in Otterton.
"""
# What the prose says, in the words of a person who asks.
TRUE = [
    ("Who designed the Otterby?", "The Otterby was designed by Maud Garrow."),
    ("Who made the first wheel?", "Ines Calloway made the first wheel in 1987."),
    ("When did Ines Calloway make the first wheel?", "Ines Calloway made it in 1987."),
    ("How long does lettuce seed need?", "Lettuce seed needs fourteen hours."),
    ("How long does tomato seed take?", "Tomato seed takes twenty hours."),
    ("At what temperature are beans dried?", "Beans are dried at thirty-one degrees."),
    ("How much does the drawer hold?", "The drawer holds 80 millilitres."),
    ("How many runs is the drawer enough for?", "The drawer is enough for four runs."),
    ("What does code E4 mean?", "Code E4 means that the fan is blocked."),
    ("What does code E7 mean?", "Code E7 means that the door was opened."),
    ("Where are repairs done?", "Repairs are done in Pell Quay."),
    ("On which day are repairs done?", "Repairs are done on the first Saturday of every month."),
    ("How long does the warranty last?", "The warranty lasts thirty months."),
    ("Who sells the spare parts?", "The spare parts are sold by Peter Loom in Otterton."),
    ("Where are the spare parts sold?", "The spare parts are sold in Otterton."),
]
TERMS = [
    ["Maud", "Ines", "Peter", "Tom"],
    ["Garrow", "Calloway", "Loom", "Hale"],
    ["fourteen", "twenty", "four", "thirty", "seven", "thirty-one", "80", "1987", "12"],
    ["E4", "E7", "E9"],
    ["Pell Quay", "Otterton", "Marsh End"],
    ["Saturday", "Monday"],
]
_TEACHER = """
import json, random, re, sys
told = json.load(sys.stdin)
random.seed(told["prompt"] + str(told["seed"]))
with open(sys.argv[1], "a") as log:
    log.write("x")
FACTS = {facts!r}
TERMS = {terms!r}
passage = told["prompt"].partition("Passage:")[2]
{body}
print(json.dumps({{"completions": completions}}))
"""


def lies() -> list[tuple[str, str]]:
    """Every pair of TRUE with one name or number put in the place of another, in its answer."""
    return [
        (question, answer.replace(term, other, 1))
        for question, answer in TRUE
        for group in TERMS
        for term in group
        for other in group
        if term != other and f" {term}" in f" {answer}" and other not in answer
    ]


def teacher(folder: Path, body: str, facts: object = None) -> str:
    """A `cli:` teacher that runs `body`, which sets `completions`, and counts its calls."""
    script = folder / "teach.py"
    script.write_text(_TEACHER.format(facts=facts, terms=TERMS, body=body), "utf-8")
    return f"cli:{sys.executable} {script} {folder / 'calls'}"


def saying(pairs: list[tuple[str, str]]) -> str:
    """The body of a teacher that says the same pairs whatever the passage."""
    text = "\n\n".join(f"### Q\n{question}\n### A\n{answer}" for question, answer in pairs)
    return f"completions = [{text!r}]"


def calls(folder: Path) -> int:
    path = folder / "calls"
    return len(path.read_text("utf-8")) if path.exists() else 0


def written(folder: Path, body: str = PROSE) -> Document:
    """A document file with this body."""
    path = folder / "notes.dlm"
    path.write_text(HEAD + body, "utf-8")
    return parse_file(path)


@contextmanager
def database_of(document: Document) -> Iterator[Database]:
    with Store.open(document.frontmatter.dlm_id, base_model="pocket") as store:
        yield store.database


def run(document: Document, teacher: str, *, judge: str = "sway", **chosen: object) -> Outcome:
    """A synthesis with these options."""
    options = SynthOptions(**chosen)  # type: ignore[arg-type]
    with database_of(document) as database:
        return synthesize(document, options, Asking(teacher, judge), database)


def as_json_lines(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(json.dumps({"question": q, "answer": a}) for q, a in pairs)
