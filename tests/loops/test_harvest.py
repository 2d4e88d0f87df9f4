"""What a report adds to a document: new pairs as probes, weak ones once more, the exam alone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given, strategies as st

from dlm.data.contamination import findings
from dlm.data.lessons import lessons_of
from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.doc.provenance import Origin
from dlm.doc.render import normalise
from dlm.doc.sections import PairRole, SectionType
from dlm.loops.edits import NewPair, NewTriple, applied, reverted
from dlm.loops.harvest import Harvest, harvest
from dlm.loops.proposals import Proposal
from dlm.loops.reports import Report

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
TEXT = HEAD + (
    "The barn is old.\n\n::instruction::\n### Q\nWhere is the barn?\n### A\nBehind the hill.\n"
    "### Q !exam\nHow many pear trees does the orchard keep?\n### A\nForty.\n::\n"
    "\n::preference::\n### Prompt\nHi\n### Chosen\nHello.\n### Rejected\nNo.\n::\n"
)
NOTES = parse_text(TEXT)
AT = datetime(2026, 4, 23, 18, 42, tzinfo=UTC)


def pair(prompt: str, reference: str = "Yes.", **more: object) -> Proposal:
    content = NewPair(prompt, reference)
    return Proposal(content, "probe", "a test", **more)  # type: ignore[arg-type]


def triple(*texts: str) -> Proposal:
    return Proposal(NewTriple(*texts), "flip", "a test", own=True)


def plan(
    *found: Proposal,
    of: Document = NOTES,
    **options: float | str | Origin,
) -> Harvest:
    report = Report("tool", 9, 9, found)
    return harvest(of, report, by="tool", at=AT, **options)  # type: ignore[arg-type]


def after(done: Harvest, of: Document = NOTES) -> Document:
    return applied(of, done.plan, place="end")


def test_a_new_pair_becomes_one_closed_section_with_its_source() -> None:
    done = plan(pair("Who presses?", "Agnes.", scores={"delta": -1.5}), tag="nightly")
    section = after(done).sections[-1]
    assert (
        done.plan.additions[0]
        .section()
        .source.text.endswith(" -->\n### Q !probe\nWho presses?\n\n### A\nAgnes.\n::\n")
    )
    assert (section.auto_harvest, section.harvest_source) == (True, "nightly/probe")
    provenance = section.provenance
    assert provenance is not None
    assert (provenance.origin, provenance.by, provenance.at) == (Origin.HARVESTED, "tool", AT)
    assert provenance.scores == {"delta": -1.5}
    assert provenance.extra["how"] == "a test"
    assert (done.candidates, done.added, done.raised, done.sealed) == (1, 1, 0, 0)


def test_what_the_document_asks_is_not_added_again() -> None:
    done = plan(pair("where is  THE barn?", "Behind the hill."), pair("Where is the barn?", "Gone"))
    assert not done.plan
    assert [one.reason for one in done.skipped] == [
        "line 9 asks it already",
        "line 9 asks it already, with another answer",
    ]


def test_the_same_question_twice_in_a_report_is_added_once() -> None:
    done = plan(pair("Who?", "Agnes."), pair("who?", "agnes."), pair("Who?", "Bert."))
    assert done.added == 1
    assert [one.reason for one in done.skipped] == [
        "probe asks it too",
        "probe asks it too, with another answer",
    ]


def test_exam_questions_are_never_harvested_nor_what_nearly_repeats_them() -> None:
    done = plan(
        pair("How many pear trees does the orchard keep?", "Forty."),
        pair("How many pear trees does the orchard keep, please?", "Forty."),
        pair("How many pear trees does the orchard keep?", "Forty.", own=True),
    )
    assert not done.plan
    assert [one.reason for one in done.skipped] == [
        "line 13 keeps it sealed as !exam",
        "it nearly repeats line 13, which is sealed as !exam",
        "line 13 keeps it sealed as !exam",
    ]


def test_an_exam_question_in_other_words_is_known_by_what_it_rewords() -> None:
    question = "How many pear trees does the orchard keep?"
    done = plan(pair("Count them, would you: trees of the orchard!", "Forty.", rewords=question))
    assert [one.reason for one in done.skipped] == ["line 13 keeps it sealed as !exam"]


def test_a_weak_pair_of_the_document_is_repeated_once() -> None:
    weak = pair("Where is the barn?", "Behind the hill.", own=True)
    done = plan(weak, weak)
    assert (done.added, done.raised) == (0, 1)
    longer = after(done)
    first, again = (section for section in longer.sections if section.pairs)
    assert again.provenance is not None
    assert again.provenance.extra["raises"] == first.section_id
    asked = Counter(example.question for example in lessons_of(longer).pairs)
    assert asked == {"Where is the barn?": 2}
    assert [probe.question for probe in lessons_of(longer).probes] == ["Where is the barn?"]
    assert plan(weak, of=longer).skipped[0].reason.startswith("raised already at line")


def test_a_triple_is_raised_once() -> None:
    weak, new = triple("Hi", "Hello.", "No."), triple("Bye", "Farewell.", "Go.")
    done = plan(weak, weak, new)
    assert done.raised == 2
    longer = after(done)
    assert [section.type for section in longer.sections].count(SectionType.PREFERENCE) == 3
    assert longer.sections[-2].provenance is not None
    assert "raises" in longer.sections[-2].provenance.extra
    assert not plan(weak, new, of=longer).plan


def test_what_is_less_sure_than_asked_is_left_out() -> None:
    done = plan(pair("One?", confidence=0.4), pair("Two?", confidence=0.5), min_confidence=0.5)
    assert [item.summary for item in done.plan.additions] == ["Two?"]
    assert (done.candidates, done.skipped[0].reason) == (1, "its confidence is 0.4")


def test_a_text_that_no_document_can_hold_is_named() -> None:
    done = plan(pair("Zero \0?"), pair("Good?"))
    assert [item.summary for item in done.plan.additions] == ["Good?"]
    assert "U+0000" in done.unusable[0].reason


def test_a_fraction_is_sealed_and_nothing_that_trains_repeats_it() -> None:
    pairs = [
        pair("Who lights the lamp?", "Agnes."),
        pair("Why is soap kept from the press?", "It spoils the wood."),
        pair("Which day is for cleaning?", "Monday."),
        pair("What sleeps in the cellar?", "The dog."),
        pair("How is perry stored?", "In oak."),
        pair("When does picking begin?", "Late in September."),
        pair("Please, when does picking begin?", "Late in September."),
    ]
    done = plan(*pairs, sealed=0.4)
    longer = after(done)
    lessons = lessons_of(longer)
    assert 1 <= done.sealed <= 3
    assert done.sealed == sum(pair.role is PairRole.EXAM for _, pair in longer.pairs()) - 1
    assert findings(lessons.train, lessons.exam) == ()
    again = plan(*reversed(pairs), sealed=0.4)
    assert {one.question for one in lessons_of(after(again)).exam} == {
        one.question for one in lessons.exam
    }
    assert plan(*pairs).sealed == 0


def test_what_repeats_a_trained_question_is_not_sealed() -> None:
    done = plan(pair("Please, where is the barn?", "Behind the hill."), sealed=1.0)
    assert (done.added, done.sealed) == (1, 0)


def test_pushed_probes_take_the_same_shape() -> None:
    done = plan(pair("Who?", "Agnes."), tag="ci", origin=Origin.PUSHED)
    section = after(done).sections[-1]
    assert (section.auto_harvest, section.harvest_source) == (True, "ci/probe")


@given(
    prompts=st.lists(st.text(min_size=1), min_size=1, max_size=4),
    reference=st.sampled_from(
        [
            "::",
            "::instruction::\n### Q\nx\n### A\ny",
            "---\ndlm_id: x\n---",
            "```\n",
            "\\::",
            "a\n\nb",
        ]
    ),
)
def test_any_text_of_a_report_stays_text_and_goes_again(prompts: list[str], reference: str) -> None:
    done = plan(*(pair(prompt, reference) for prompt in prompts))
    longer = after(done)
    assert longer.frontmatter == NOTES.frontmatter
    assert [s.section_id for s in longer.sections[:3]] == [s.section_id for s in NOTES.sections]
    assert len(longer.sections) == len(NOTES.sections) + done.added
    for item in done.plan.additions:
        found = next(s for s in longer.sections if s.section_id == item.section_id).pairs[0]
        assert found.question in {normalise(prompt) for prompt in prompts}
        assert found.answer == normalise(reference)
    assert reverted(longer, (Origin.HARVESTED,)).document.text == NOTES.text
    assert not plan(*(pair(prompt, reference) for prompt in prompts), of=longer).plan
