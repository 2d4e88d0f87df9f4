"""The example documents, their question files, and the general text that ships with the package."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.sections import Pair, PairRole, SectionType

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
GENERAL = ROOT / "src" / "dlm" / "data" / "general_text"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.dlm"))

# name: (fewest words of prose, most words, pairs)
SIZES = {
    "seed-dryer": (850, 1000, 14),
    "skeinfold-handbook": (850, 1000, 16),
    "rowing-shed": (250, 350, 8),
    "tide-clock": (250, 350, 8),
}
LICENCES = re.compile(r"Public domain( / CC0| \([^)]*\))?|CC0 1\.0|Unlicense \(public domain\)")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def document(name: str) -> Document:
    return parse_file(EXAMPLES / f"{name}.dlm")


@pytest.fixture
def questions(name: str) -> list[dict[str, Any]]:
    return _json_lines((EXAMPLES / f"{name}.eval.jsonl").read_bytes())


def test_every_example_has_a_stated_size() -> None:
    assert set(NAMES) == set(SIZES)


def test_an_example_parses_without_warnings(document: Document) -> None:
    assert document.warnings == ()
    assert document.frontmatter.base_model in ("pocket", "smollm2-135m-q4")
    assert document.frontmatter.dlm_version == 15


def test_an_example_has_its_stated_size(name: str, document: Document) -> None:
    fewest, most, pairs = SIZES[name]
    assert fewest <= len(_prose(document).split()) <= most
    assert len(_pairs(document)) == pairs


def test_every_example_has_its_own_id() -> None:
    ids = {parse_file(EXAMPLES / f"{name}.dlm").frontmatter.dlm_id for name in NAMES}
    assert len(ids) == len(NAMES)


def test_every_answer_is_one_short_sentence(document: Document) -> None:
    for pair in _pairs(document):
        assert 6 <= len(pair.answer.split()) <= 20, pair.answer
        assert len(re.findall(r"[.!?](?:\s|$)", pair.answer)) == 1, pair.answer


def test_no_question_is_asked_twice(document: Document) -> None:
    asked = [_plain(pair.question) for pair in _pairs(document)]
    assert len(set(asked)) == len(asked)


def test_the_club_notes_show_probes_and_exams() -> None:
    roles = [pair.role for pair in _pairs(parse_file(EXAMPLES / "rowing-shed.dlm"))]
    assert [roles.count(role) for role in (PairRole.TRAIN, PairRole.PROBE, PairRole.EXAM)] == [
        4,
        2,
        2,
    ]


def test_an_exam_rewords_a_trained_pair() -> None:
    pairs = _pairs(parse_file(EXAMPLES / "rowing-shed.dlm"))
    trained = {pair.answer: pair.question for pair in pairs if pair.role is not PairRole.EXAM}
    for exam in (pair for pair in pairs if pair.role is PairRole.EXAM):
        assert _plain(trained[exam.answer]) != _plain(exam.question)


def test_question_lines_are_well_formed(questions: list[dict[str, Any]]) -> None:
    for line in questions:
        assert set(line) == {"id", "kind", "question", "key"}
        assert line["kind"] in ("verbatim", "paraphrase", "prose")
        assert line["id"].endswith("." + line["kind"])
        assert line["question"].endswith("?")
        assert line["key"]
        for key in line["key"]:
            assert key == key.strip().lower()
            assert len(key) >= 3
    assert len({line["id"] for line in questions}) == len(questions)


def test_verbatim_lines_are_the_trained_pairs(
    document: Document, questions: list[dict[str, Any]]
) -> None:
    answers = {pair.question: pair.answer for pair in _trained(document)}
    lines = _of_kind(questions, "verbatim")
    assert [line["question"] for line in lines] == list(answers)
    for line in lines:
        for key in line["key"]:
            assert key in _folded(answers[line["question"]])


def test_a_key_names_one_pair_only(document: Document, questions: list[dict[str, Any]]) -> None:
    for line in _of_kind(questions, "verbatim"):
        others = [pair.answer for pair in _trained(document) if pair.question != line["question"]]
        for key in line["key"]:
            assert not any(key in _folded(answer) for answer in others), key


def test_every_pair_has_one_paraphrase_that_asks_for_the_same_key(
    document: Document, questions: list[dict[str, Any]]
) -> None:
    verbatim = {_stem(line): line for line in _of_kind(questions, "verbatim")}
    paraphrases = {_stem(line): line for line in _of_kind(questions, "paraphrase")}
    trained = {_plain(pair.question) for pair in _pairs(document)}
    assert list(paraphrases) == list(verbatim)
    for stem, line in paraphrases.items():
        assert set(verbatim[stem]["key"]) <= set(line["key"])
        assert _plain(line["question"]) not in trained


def test_the_fact_of_a_pair_stands_in_the_prose_too(
    document: Document, questions: list[dict[str, Any]]
) -> None:
    prose = _folded(_prose(document))
    for line in _of_kind(questions, "paraphrase"):
        assert any(key in prose for key in line["key"]), line["id"]


def test_prose_questions_ask_for_what_no_pair_says(
    document: Document, questions: list[dict[str, Any]]
) -> None:
    prose = _folded(_prose(document))
    pairs = _folded(" ".join(f"{pair.question} {pair.answer}" for pair in _pairs(document)))
    lines = _of_kind(questions, "prose")
    assert len(lines) >= 4
    for line in lines:
        for key in line["key"]:
            assert key in prose, key
            assert key not in pairs, key


def test_no_question_gives_its_key_away(questions: list[dict[str, Any]]) -> None:
    for line in questions:
        for key in line["key"]:
            assert key not in _folded(line["question"]), line["id"]


def test_rehearsal_text_is_large_short_and_balanced() -> None:
    lines = _rehearsal()
    assert len(lines) == 1500
    assert all(40 <= len(line["text"].split()) <= 120 for line in lines)
    sources = [line["source"] for line in lines]
    assert max(map(sources.count, set(sources))) <= 0.06 * len(lines)


def test_general_text_holds_no_markup() -> None:
    markup = re.compile(r"https?:|www\.|[`<>\[\]{}|*_#]|^\s*[-+]\s", re.MULTILINE)
    for line in [*_rehearsal(), *_held_out()]:
        assert not markup.search(line["text"]), line["text"]
        assert re.search(r"[.!?][\"')]*$", line["text"]), line["text"]


def test_held_out_text_shares_no_source_and_no_eight_words_with_rehearsal() -> None:
    held_out = _held_out()
    assert len(held_out) == 60
    assert all(60 <= len(line["text"].split()) <= 110 for line in held_out)
    rehearsed = _rehearsal()
    assert not {line["source"] for line in held_out} & {line["source"] for line in rehearsed}
    grams = set().union(*(_eight_grams(line["text"]) for line in rehearsed))
    assert not any(_eight_grams(line["text"]) & grams for line in held_out)


def test_every_source_of_general_text_is_listed_with_a_free_licence_and_its_count() -> None:
    row = re.compile(r"^\| \[([^\]]+)\]\([^)]+\) \| ([^|]+) \| \w+ \| (\d+) \| (\d+) \|$", re.M)
    table = row.findall((GENERAL / "SOURCES.md").read_text(encoding="utf-8"))
    rehearsed = [line["source"] for line in _rehearsal()]
    held_out = [line["source"] for line in _held_out()]
    assert {source for source, *_ in table} == {*rehearsed, *held_out}
    for source, licence, in_rehearsal, in_held_out in table:
        assert LICENCES.fullmatch(licence), licence
        assert (rehearsed.count(source), held_out.count(source)) == (
            int(in_rehearsal),
            int(in_held_out),
        )


def test_everyday_questions_have_one_answer_each() -> None:
    lines = _json_lines((GENERAL / "questions.jsonl").read_bytes())
    assert len({line["question"] for line in lines}) == len(lines) == 100
    assert all(line["answer"][-1] in ".?" for line in lines)


def test_general_text_stays_small() -> None:
    assert sum(path.stat().st_size for path in GENERAL.iterdir()) < 600_000


def _prose(document: Document) -> str:
    parts = [part.content for part in document.sections if part.type is SectionType.PROSE]
    return "\n\n".join(parts)


def _pairs(document: Document) -> list[Pair]:
    return [pair for _, pair in document.pairs()]


def _trained(document: Document) -> list[Pair]:
    return [pair for pair in _pairs(document) if pair.role is not PairRole.EXAM]


def _of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def _stem(line: dict[str, Any]) -> str:
    return str(line["id"]).rpartition(".")[0]


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _eight_grams(text: str) -> set[tuple[str, ...]]:
    words = _plain(text).split()
    return {tuple(words[i : i + 8]) for i in range(len(words) - 7)}


def _rehearsal() -> list[dict[str, Any]]:
    return _json_lines(gzip.decompress((GENERAL / "rehearsal.jsonl.gz").read_bytes()))


def _held_out() -> list[dict[str, Any]]:
    return _json_lines((GENERAL / "heldout.jsonl").read_bytes())


def _json_lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode("utf-8").split("\n") if line]
