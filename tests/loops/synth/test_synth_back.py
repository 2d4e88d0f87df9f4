"""Backtranslation of eight sections: what is chosen helps its own section, and quotes none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from synth_kit import run, saying, teacher, written

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.engine.resident import Resident, Scored
from dlm.loops.judges import asked
from dlm.loops.synth import Strategy
from dlm.loops.synth.backtranslate import SHARED_TOKENS
from dlm.loops.synth.candidates import Stage
from dlm.loops.synth.generate import read
from dlm.loops.synth.parsing import parse_request
from dlm.loops.synth.run import Outcome
from dlm.text.near import shares_run

EXAMPLE = Path(__file__).parents[3] / "examples" / "seed-dryer.dlm"
REQUESTS = [
    "Describe the Otterby seed dryer.",
    "Explain where to put the dryer and which power supply to use.",
    "Describe the first run of the dryer and the settings of its wheel.",
    "How long do lettuce, tomato and bean seed need to dry?",
    "Explain the lights and sounds of the dryer, and its codes.",
    "How do I care for the filter, the trays and the fuse?",
    "What does the warranty cover, and where are repairs done?",
    "Write something nice.",
    "Stand the dryer on a level shelf, with a hand's width of free space behind it.",
    'Say "The green light means that the dryer is working" in other words.',
]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Document, Outcome]:
    folder = tmp_path_factory.mktemp("back")
    text = EXAMPLE.read_text("utf-8")
    document = written(folder, re.sub(r"\A---.*?---\n", "", text, flags=re.DOTALL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(folder / "home"))
        chosen = {"strategy": Strategy.BACKTRANSLATE, "candidates": len(REQUESTS), "top_k": 2}
        return document, run(document, teacher(folder, f"completions = {REQUESTS!r}"), **chosen)


def test_requests_become_pairs_whose_answer_is_the_section(
    outcome: tuple[Document, Outcome],
) -> None:
    document, found = outcome
    texts = {section.section_id: section.text.strip() for section in document.sections}
    assert len(found.plan.additions) >= 4
    for addition in found.plan.additions:
        (pair,) = addition.pairs
        assert pair.question in REQUESTS
        assert pair.answer == texts[str(addition.after)]


def test_a_chosen_request_helps_its_own_section_most(outcome: tuple[Document, Outcome]) -> None:
    document, found = outcome
    kept = [one for one in found.candidates if not one.dropped]
    texts = list(dict.fromkeys(one.answer for one in found.candidates))
    with Resident.open(document) as resident:
        bare = resident.score([Scored(None, text) for text in texts], adapter=False)
        for one in kept:
            given = resident.score(
                [Scored(asked(one.question), text) for text in texts], adapter=False
            )
            gains = {
                text: before.nll - after.nll
                for text, before, after in zip(texts, bare, given, strict=True)
            }
            assert max(gains, key=lambda text: gains[text]) == one.answer
            assert gains[one.answer] > 0


def test_no_chosen_request_shares_eight_tokens_with_its_text(
    outcome: tuple[Document, Outcome], pocket_folder: Path
) -> None:
    from dlm.data.chat import Codec

    codec = Codec.load(pocket_folder)
    for one in outcome[1].candidates:
        if not one.dropped:
            given, text = codec.encode(f" {one.question}"), codec.encode(one.answer)
            assert not shares_run(given, text, SHARED_TOKENS)


def test_copies_and_quotes_are_dropped_with_their_reason(
    outcome: tuple[Document, Outcome],
) -> None:
    reasons = [(one.question, one.reason) for one in outcome[1].candidates if one.dropped]
    assert any("shares 8 tokens" in r for q, r in reasons if q.startswith("Stand"))
    assert any("quotes" in r for q, r in reasons if q.startswith("Say"))
    assert any("does not speak" in r for q, r in reasons if q.startswith("Write")), reasons


def test_long_targets_are_skipped_with_a_note(tmp_path: Path) -> None:
    document = written(
        tmp_path, f"{'A long walk along the river. ' * 300}\n\n::prose::\nShort.\n::\n"
    )
    told = teacher(tmp_path, saying([]))
    outcome = run(document, told, strategy=Strategy.BACKTRANSLATE)
    assert any("tokens, more than" in note for note in outcome.notes)
    outcome = run(document, told, strategy=Strategy.BACKTRANSLATE, max_target_tokens=1)
    assert len(outcome.notes) == 2


@pytest.mark.parametrize(
    "completion",
    [
        "Describe the shed.",
        "Request: Describe the shed.\n\nThe shed is blue.",
        "**Request:** Describe the shed.",
        '"Describe the shed."',
        "<think>What is it about?</think>\n\nDescribe the shed.",
        "```\nDescribe the shed.\n```",
        "> Describe the  shed.",
    ],
)
def test_a_request_is_read_from_what_models_write(completion: str) -> None:
    assert parse_request(completion, "Blue.").pairs == (("Describe the shed.", "Blue."),)


def test_only_reasoning_is_no_request() -> None:
    assert parse_request("<think>Describe the shed.", "Blue.").pairs == ()
    assert parse_request("", "Blue.").dropped == ("an empty request",)


def test_reasoning_is_kept_when_it_is_asked_for(tmp_path: Path) -> None:
    from dlm.data.completion import Completion, Request
    from dlm.loops.synth.generate import Ask
    from dlm.loops.synth.passages import sources

    source = sources(parse_file(EXAMPLE))[0]
    ask = Ask(Request("", "x"), source, Strategy.BACKTRANSLATE)
    answer = [Completion("Describe the dryer.", reasoning="It dries.")]
    assert read([ask], [answer], keep_reasoning=True).reasoning == ["It dries."]
    assert read([ask], [answer]).reasoning == []
    assert {one.dropped for one in read([ask], [answer]).candidates} <= {None, Stage.PARSED}
