"""An answer rests on a sentence of its passage, and a changed name or number does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.sections import PairRole, SectionType
from dlm.loops.synth.grounding import support
from dlm.loops.synth.passages import Evidence
from dlm.text.terms import Kind, content, terms

EXAMPLES = Path(__file__).parents[3] / "examples"
GARDEN = (
    "## Drying\n\nLettuce seed needs fourteen hours. Tomato seed takes twenty hours, and it must "
    "be stirred once. Beans need most care. They are dried at thirty-one degrees. Do not wash the "
    "filter before the tenth run.\n\nThe dryer was designed by Maud Garrow, who met Ines Calloway "
    "in 1987. The drawer holds 80 millilitres, which is enough for four runs. Rome defeated "
    "Carthage."
)


@pytest.mark.parametrize(
    ("question", "answer", "sentence"),
    [
        ("How long does lettuce seed need?", "Fourteen hours.", "Lettuce seed needs fourteen"),
        ("How long does lettuce seed need?", "It needs 14 hours.", "Lettuce seed needs fourteen"),
        ("At what temperature are beans dried?", "At 31 degrees.", "They are dried at"),
        ("Who designed the dryer?", "Maud Garrow designed it.", "The dryer was designed"),
        ("Who designed the dryer?", "Maud Garrow.", "The dryer was designed"),
        ("How many runs is the drawer enough for?", "Four runs.", "The drawer holds 80"),
        ("Who defeated Carthage?", "Rome defeated Carthage.", "Rome defeated"),
    ],
)
def test_what_the_passage_says_is_supported(question: str, answer: str, sentence: str) -> None:
    found = support(Evidence.of(GARDEN), question, answer)
    assert found.holds, found.reason
    assert found.sentence.startswith(sentence)


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("How long does lettuce seed need?", "Twenty hours.", "the question is about 'lettuce'"),
        ("How long does tomato seed take?", "Fourteen hours.", "the question is about 'tomato'"),
        ("How long does lettuce seed need?", "Lettuce seed needs 13 hours.", "'13' is not in"),
        ("Who designed the dryer?", "Ines Calloway designed it.", "elsewhere"),
        ("Who designed the dryer?", "Ines Calloway.", "stands nearer"),
        ("Who designed the dryer?", "Maud Calloway designed it.", "elsewhere"),
        ("Who designed the dryer?", "Peter Garrow designed it.", "'Peter' is not in"),
        ("How many millilitres does the drawer hold?", "Four.", "counts something else"),
        ("How much does the drawer hold?", "It holds four millilitres.", "elsewhere"),
        ("Who defeated Rome?", "Carthage defeated Rome.", "elsewhere"),
        ("When do I wash the filter?", "Wash the filter before the tenth run.", "leaves out 'not'"),
        ("When do I wash the filter?", "Not after the tenth run.", "does not say 'after'"),
        ("How long does lettuce seed need?", "Lettuce seed needs it.", "only repeats"),
        ("What do beans need?", "Beans need a warm and sunny windowsill.", "does not say 'warm'"),
        ("Who rows the boat?", "Beans need most care.", "something else"),
    ],
)
def test_what_the_passage_does_not_say_is_refused(question: str, answer: str, reason: str) -> None:
    found = support(Evidence.of(GARDEN), question, answer)
    assert not found.holds
    assert reason in (found.reason or "")


@pytest.mark.parametrize("text", ["", "# Only a title", "```\ncode\n```", "...", "\n\n\n"])
def test_a_passage_without_sentences_supports_nothing(text: str) -> None:
    assert not support(Evidence.of(text), "Who?", "Wren.").holds


def test_swapped_names_and_numbers_are_refused_and_true_answers_kept() -> None:
    """Over the examples: each name and number of each pair put in place of each other one."""
    kept: Counter[tuple[str, bool]] = Counter()
    for path in sorted(EXAMPLES.glob("*.dlm")):
        document = parse_file(path)
        sections = _sections(document)
        for _, pair in document.pairs():
            if pair.role is PairRole.EXAM:
                continue
            kept["true", _supported(sections, pair.question, pair.answer)] += 1
            for lie in _lies(pair.answer, sections):
                kept["lie", _supported(sections, pair.question, lie)] += 1
    assert kept["lie", True] + kept["lie", False] > 400
    assert kept["lie", True] <= 0.01 * kept["lie", False]
    assert kept["true", True] >= 3 * kept["true", False]


def _sections(document: Document) -> list[Evidence]:
    prose = [section for section in document.sections if section.type is SectionType.PROSE]
    title = prose[0].text.strip().splitlines()[0]
    topics = {word.key for word in content(terms(title))}
    return [Evidence.of(section.text, topics) for section in prose]


def _supported(sections: list[Evidence], question: str, answer: str) -> bool:
    return any(support(evidence, question, answer).holds for evidence in sections)


def _lies(answer: str, sections: list[Evidence]) -> Iterator[str]:
    every = [word for evidence in sections for line in evidence.lines for word in line.words]
    for term in terms(answer, frozenset().union(*(evidence.names for evidence in sections))):
        if term.kind not in (Kind.NUMBER, Kind.NAME):
            continue
        for other in sorted({word.text for word in every if word.kind is term.kind}):
            lie = answer.replace(term.text, other, 1)
            if terms(other)[0].key != term.key and lie != answer:
                yield lie


def test_the_sentence_before_lends_a_name_but_is_no_answer() -> None:
    evidence = Evidence.of("Unscrew the foot, and the holder slides out. It takes a two-amp fuse.")
    question = "What takes a two-amp fuse?"
    assert not support(evidence, question, "Unscrew the foot, and the holder slides out.").holds
    assert support(evidence, "What does the holder take?", "It takes a two-amp fuse.").holds
