"""The text side of the pretraining recipe: corpus, facts, conversations, packing. No model."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from recipe import conversations
from recipe.asking import REFUSALS, with_pronoun
from recipe.chat_format import END_OF_TEXT, TAUGHT, UNTAUGHT, Tokens
from recipe.corpus import held_out, read
from recipe.echo import echo
from recipe.english import Lexicon
from recipe.facts import by_sentence, facts_of
from recipe.invented import invention
from recipe.lessons import SHARES, lessons, read_for_facts
from recipe.names import renamed
from recipe.packing import Packer
from recipe.requests import request_for
from recipe.schedule import rate, shares
from recipe.shards import Stream, packed, write_stream

from dlm.errors import DlmError
from dlm.loops.synth import generate
from dlm.loops.synth.grounding import support
from dlm.loops.synth.parsing import parse_pairs
from dlm.loops.synth.passages import Evidence

WORDS = Lexicon.of(
    ["the slack engineers open, opened, designed and carried pumps and valves " * 12]
)

SENTENCES = [
    ("A turbine is a machine that turns the flow of steam into motion.", "What is a turbine?"),
    ("Marie Curie was a physicist who worked on rays in Paris.", "Who was Marie Curie?"),
    ("Slack water means that the tide rests before it turns.", "What does slack water mean?"),
    ("The small brass valve is used to let air out of the pipes.", "What is the small brass valve used for?"),  # noqa: E501
    ("To clean the filter, hold it under warm water for a minute.", "How do you clean the filter?"),
    ("The old bridge was closed because the ice had damaged it.", "Why was the old bridge closed?"),
    ("In 1931, the northern tunnel was opened to all the traffic.", "When was the northern tunnel opened to all the traffic?"),  # noqa: E501
    ("There are seven wooden boats in the shed behind the mill.", "How many wooden boats in the shed behind the mill are there?"),  # noqa: E501
    ("The loaded kettle weighs 214 grams without its heavy lid.", "How much does the loaded kettle weigh?"),  # noqa: E501
    ("The spare key is kept in the drawer under the red counter.", "Where is the spare key kept?"),
    ("If you lose your card, call the office before the evening.", "What should you do if you lose your card?"),  # noqa: E501
    ("The engine contains four valves and one very long spring.", "What does the engine contain?"),
    ("Marie Curie opened the small laboratory behind the school.", "Who opened the small laboratory behind the school?"),  # noqa: E501
    ("The first pump was designed by two sisters from the coast.", "What was the first pump designed by?"),  # noqa: E501
]  # fmt: skip


def test_both_kinds_of_shards_are_read_in_order(corpus: Path) -> None:
    texts = list(read(corpus))
    assert Counter(text.kind for text in texts) == {
        "prose": 240, "fiction": 242, "trivia": 240, "glossary": 1, "dialog": 1,
    }  # fmt: skip
    assert texts[2].text.startswith("# Note 0")
    assert texts[-1].kind == "dialog"


def test_a_packed_shard_without_zstandard_says_what_to_install(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(DlmError, match="zstandard is not installed") as error:
        list(read(corpus))
    assert "--extra pretrain" in (error.value.hint or "")


@pytest.mark.parametrize("line", ["{", "[]", '{"text": "a"}', '{"text":"","source":"","kind":"x"}'])
def test_a_line_that_is_no_document_is_named(tmp_path: Path, line: str) -> None:
    good = json.dumps({"text": "a", "source": "b", "kind": "prose"})
    (tmp_path / "one.jsonl").write_text(f"{good}\n{line}\n", "utf-8")
    with pytest.raises(DlmError, match=r"one\.jsonl:2: "):
        list(read(tmp_path))


def test_one_text_in_a_hundred_is_held_out_whoever_asks() -> None:
    kept = [number for number in range(3000) if held_out(f"text {number}")]
    assert 15 <= len(kept) <= 45
    assert not held_out("What is it?")
    assert held_out(f"text {kept[0]}")


@pytest.mark.parametrize(("sentence", "question"), SENTENCES)
def test_a_rule_asks_in_several_ways(sentence: str, question: str) -> None:
    facts = facts_of(sentence, WORDS)
    fact = next((one for one in facts if one.question == question), None)
    assert fact is not None, [one.questions for one in facts]
    assert len(set(fact.questions)) >= 2
    assert fact.answer == sentence
    assert fact.short.lower() in sentence.lower()


@pytest.mark.parametrize(
    "sentence",
    [
        "This is shown in the figure below, which you should study.",
        "It is the largest of them all and stands behind the station.",
        "She is a writer who lives near the harbour with two dogs.",
        "Rain fell over the hills, and nobody went out that evening.",
    ],
)
def test_a_sentence_that_leans_on_others_gives_no_fact(sentence: str) -> None:
    assert facts_of(sentence, WORDS) == []


def test_an_it_is_named_by_the_sentence_before() -> None:
    facts = facts_of("The Corvan is a small loom. It contains four pedals and two beams.", WORDS)
    assert "What does the Corvan contain?" in {one.question for one in facts}
    assert "The Corvan contains four pedals and two beams." in {one.answer for one in facts}


@pytest.mark.parametrize("seed", range(20))
def test_pairs_of_one_target_cover_different_sentences_of_the_passage(seed: int) -> None:
    rng = random.Random(seed)
    made = invention(rng)
    for one in conversations.write_pairs(made.text, made.facts, rng):
        (_, system), (_, asked), (_, target) = one.turns
        parsed = parse_pairs(target)
        assert system == generate.SYSTEM
        assert asked == generate.extraction(made.text, len(parsed.pairs))
        assert not parsed.dropped
        assert len({answer for _, answer in parsed.pairs}) == len(parsed.pairs)
        evidence = Evidence.of(made.text)
        assert [pair for pair in parsed.pairs if not support(evidence, *pair).holds] == []


@pytest.mark.parametrize("seed", range(20))
def test_an_invention_answers_its_questions_and_leaves_others_open(seed: int) -> None:
    made = invention(random.Random(seed))
    assert all(fact.short in made.text for fact in made.facts)
    assert all(len(fact.questions) >= 3 for fact in made.facts)
    assert len(by_sentence(list(made.facts))) == len(made.facts)
    asked = {question for fact in made.facts for question in fact.questions}
    assert not asked & set(made.unanswered)


def test_a_renamed_conversation_still_answers_itself() -> None:
    turns = [("user", "Near Ostrava lies Ostrava Hill. Where is 1931?"), ("assistant", "Ostrava.")]
    exchanged = [renamed(turns, random.Random(seed)) for seed in range(9)]
    for (_, asked), (_, answer) in exchanged:
        assert "Ostrava" not in asked + answer
        assert answer.rstrip(".") in asked
    assert any("1931" not in turns[0][1] for turns in exchanged)


def test_a_pronoun_stands_for_one_thing_behind_a_verb() -> None:
    assert with_pronoun("How much does the pump weigh?", "the pump") == "How much does it weigh?"
    assert with_pronoun("Where are pumps kept?", "pumps") is None
    assert with_pronoun("What fits into the pump?", "the pump") is None


def test_a_heading_becomes_a_request_where_it_says_enough() -> None:
    rng = random.Random(0)
    assert "configure the pump" in (request_for("Configuring the pump", rng) or "")
    assert request_for("Why boats float?", rng) == "Why boats float?"
    assert request_for("Introduction", rng) is None


def test_every_task_comes_from_a_small_corpus_and_depends_on_the_seed_alone(corpus: Path) -> None:
    texts = list(read(corpus))
    documents = [read_for_facts(text, WORDS, random.Random(0)) for text in texts[::2]]
    made = list(lessons(documents, WORDS, random.Random(3)))
    assert set(SHARES) - {one.task for one in made} <= {"write next"}
    assert made == list(lessons(documents, WORDS, random.Random(3)))
    assert made != list(lessons(documents, WORDS, random.Random(2)))
    assert all(one.turns[-1][0] == "assistant" and one.turns[-1][1] for one in made)
    refused = [one for one in made if one.task == "refuse"]
    assert all(one.turns[-1][1] in REFUSALS for one in refused)


def test_an_echo_repeats_what_it_showed_and_teaches_no_beginning_of_a_span() -> None:
    row = echo(list(range(100, 400)), random.Random(3), 256)
    assert row.ids[0] == row.ids[-1] == END_OF_TEXT
    assert len(row.ids) == len(row.weights) == 258
    shown = set(row.ids[1:129])
    assert set(row.ids[129:257]) <= shown
    for place in range(130, 257):
        if row.weights[place] == TAUGHT:
            assert row.ids[place] == row.ids[place - 1] + 1
    assert UNTAUGHT in row.weights[129:257]


def _streams(folder: Path) -> dict[str, Stream]:
    """Documents whose tokens tell which document they are of."""
    for name, first, lengths in (("plain", 1000, [300, 40, 7]), ("chat", 2000, [30, 60, 20, 9])):
        documents = [
            Tokens([first + number] * length, [TAUGHT] * length)
            for number, length in enumerate(lengths)
        ]
        write_stream(folder / name, map(packed, documents))
    return {name: Stream(folder / name) for name in ("plain", "chat")}


def test_rows_are_full_of_whole_conversations_and_no_document_sees_another(tmp_path: Path) -> None:
    packer = Packer(_streams(tmp_path), 63, seed=0)
    lengths = dict(zip(range(2000, 2004), [30, 60, 20, 9], strict=True))
    share = 0
    for _ in range(40):
        batch = packer.batch(2, {"plain": 0.5, "chat": 0.5})
        for ids, targets, weights, documents in zip(
            batch.ids, batch.targets, batch.weights, batch.documents, strict=True
        ):
            whole = np.append(ids, targets[-1])
            assert (whole >= 1000).all()
            changes = np.flatnonzero(np.diff(whole)) + 1
            for segment in np.split(whole, changes):
                if segment[0] >= 2000:
                    assert len(segment) % lengths[int(segment[0])] == 0
            crossing = documents[1:] != documents[:-1]
            assert not weights[:-1][crossing].any()
            share += int((whole >= 2000).sum())
    assert 0.4 < share / (40 * 2 * 64) < 0.6


def test_packing_goes_on_where_its_state_was_kept(tmp_path: Path) -> None:
    streams = _streams(tmp_path)
    first, second = Packer(streams, 63, seed=5), Packer(streams, 63, seed=5)
    wanted = {"plain": 0.7, "chat": 0.3}
    for _ in range(7):
        first.batch(3, wanted)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for _ in range(7):
        one, two = first.batch(3, wanted), second.batch(3, wanted)
        assert (one.ids == two.ids).all()
        assert (one.weights == two.weights).all()
    other = Packer(streams, 63, seed=6)
    assert not all((other.batch(3, wanted).ids == first.batch(3, wanted).ids).all() for _ in "ab")


def test_a_stream_over_several_shards_reads_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipe.shards._SHARD_TOKENS", 50)
    documents = [Tokens([number] * (number + 1), [TAUGHT] * (number + 1)) for number in range(30)]
    assert write_stream(tmp_path / "one", map(packed, documents)) == 465
    stream = Stream(tmp_path / "one")
    assert len(list((tmp_path / "one").glob("tokens-*"))) > 5
    assert [stream.read(n, 0, 99)[0].tolist() for n in range(30)] == [d.ids for d in documents]
    assert stream.read(29, 28, 99)[0].tolist() == [29, 29]
    (tmp_path / "one" / "tokens-001.bin").write_bytes(b"")
    with pytest.raises(DlmError, match="damaged"):
        Stream(tmp_path / "one")


def test_the_schedule_rises_and_falls_and_teaches_everything_from_the_first_step() -> None:
    assert rate(0.0, 0) == pytest.approx(0.05)
    assert rate(0.3, 1000) == 1.0
    assert rate(1.0, 2000) == pytest.approx(0.05)
    assert min(shares(0.0).values()) > 0.05
    assert sum(shares(0.37).values()) == pytest.approx(1.0)
