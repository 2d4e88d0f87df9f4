"""The whole synthesis with teachers that lie, copy, repeat themselves, attack, and tell the truth.

The model is the embedded base.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from synth_kit import (
    PROSE,
    TRUE,
    calls,
    database_of,
    lies,
    run,
    saying,
    teacher,
    written,
)

from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin
from dlm.errors import JudgeError, UsageError
from dlm.loops.edits import applied, apply_to_file, revert_to_file
from dlm.loops.synth import Filter, Strategy
from dlm.loops.synth.candidates import Stage
from dlm.loops.synth.provenance import verify
from dlm.loops.synth.run import Outcome
from dlm.store.completions import synth_runs

MANY = {"per_section": 50, "over": 1}


def accepted(outcome: Outcome) -> list[tuple[str, str]]:
    return [(one.question, one.answer) for one in outcome.candidates if not one.dropped]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A teacher that tells the truth, everything kept that the filters let through."""
    folder = tmp_path_factory.mktemp("honest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(folder / "home"))
        return run(written(folder), teacher(folder, saying(TRUE)), **MANY)


def test_most_of_what_is_true_is_kept(honest: Outcome) -> None:
    assert len(accepted(honest)) >= 0.6 * len(TRUE), [
        (one.question, one.reason) for one in honest.candidates if one.dropped
    ]


def test_every_pair_names_its_sentence_teacher_section_and_scores(honest: Outcome) -> None:
    for addition in honest.plan.additions:
        provenance = addition.provenance
        assert provenance.origin is Origin.SYNTHESIZED
        assert provenance.by.startswith("cli:")
        assert provenance.run == honest.plan.run
        assert provenance.derived_from == addition.after
        assert provenance.extra["source"] in " ".join(PROSE.split())
        assert provenance.extra["synth_strategy"] == "extraction"
        assert {"support", "ifd", "judge"} <= set(provenance.scores)


def test_the_funnel_only_narrows_and_every_drop_has_a_reason(honest: Outcome) -> None:
    counts = list(honest.funnel.values())
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == len(honest.plan.additions)
    assert all(one.reason for one in honest.candidates if one.dropped)


def test_swapped_names_and_numbers_are_hardly_ever_kept(tmp_path: Path) -> None:
    told = lies()
    assert len(told) > 60
    outcome = run(written(tmp_path), teacher(tmp_path, saying(told)), **MANY)
    assert len(accepted(outcome)) < 0.05 * len(told), accepted(outcome)


def test_short_lies_that_the_words_of_a_passage_allow_are_no_more_likely_for_it(
    tmp_path: Path,
) -> None:
    prose = (
        "# Seed\n\nThe dryer was designed by Maud Garrow, who met Ines Calloway in 1987. "
        "The drawer holds 80 millilitres, which is enough for four runs.\n"
    )
    told = [
        ("Who designed the dryer?", "Ines Calloway."),
        ("How many millilitres does the drawer hold?", "Four."),
    ]
    outcome = run(written(tmp_path, prose), teacher(tmp_path, saying(told)), **MANY)
    assert accepted(outcome) == []
    assert {one.dropped for one in outcome.candidates} == {Stage.GROUNDED}, [
        one.reason for one in outcome.candidates
    ]


def test_a_teacher_that_copies_the_exam_gets_nothing(tmp_path: Path) -> None:
    sealed = "::instruction::\n" + "\n".join(
        f"### Q !exam\n{question}\n### A\n{answer}" for question, answer in TRUE
    )
    document = written(tmp_path, f"{PROSE}\n{sealed}\n::\n")
    copies = [
        *TRUE,
        *((question.replace("?", ", please?"), answer) for question, answer in TRUE),
        *((question.lower().capitalize(), answer) for question, answer in TRUE),
    ]
    for chosen in Filter:
        outcome = run(document, teacher(tmp_path, saying(copies)), filter=chosen, **MANY)
        assert accepted(outcome) == []
        assert {one.dropped for one in outcome.candidates} <= {Stage.DEDUP, Stage.PARSED}


def test_a_teacher_that_repeats_itself_is_reduced_to_distinct_pairs(tmp_path: Path) -> None:
    question, answer = TRUE[3]
    variants = [
        (question, answer),
        (question.upper().capitalize(), answer),
        (question, answer.upper().capitalize()),
        (f"{question[:-1]} ?", answer),
        ("How long does the lettuce seed need?", answer),
    ]
    body = saying([pair for pair in variants for _ in range(8)])
    for chosen in (Filter.DEDUP_ONLY, Filter.SWAY):
        outcome = run(written(tmp_path), teacher(tmp_path, body), filter=chosen, **MANY)
        assert len(accepted(outcome)) == 1
        assert outcome.funnel["generated"] >= 40


def test_what_the_document_asks_already_is_not_asked_again(tmp_path: Path) -> None:
    question, answer = TRUE[3]
    document = written(
        tmp_path, f"{PROSE}\n::instruction::\n### Q\n{question}\n### A\n{answer}\n::\n"
    )
    outcome = run(document, teacher(tmp_path, saying(TRUE[3:5])), filter=Filter.DEDUP_ONLY, **MANY)
    assert [pair[0] for pair in accepted(outcome)] == [TRUE[4][0]]


def test_counts_per_section_and_in_all_are_kept_to(tmp_path: Path) -> None:
    told = teacher(tmp_path, saying(TRUE))
    few = run(written(tmp_path), told, per_section=1, over=1)
    parts = [one.source.key for one in few.candidates if not one.dropped]
    assert len(parts) == len(set(parts)) > 1
    assert len(accepted(run(written(tmp_path), told, max_pairs=2, over=1))) == 2


def test_only_named_sections_are_asked_about(tmp_path: Path) -> None:
    document = written(tmp_path, f"{PROSE}\n::prose::\nThe boat is called Pepper.\n::\n")
    ids = [section.section_id for section in document.sections]
    outcome = run(document, teacher(tmp_path, saying(TRUE)), sections=(ids[1][:8],), over=1)
    assert {one.source.id for one in outcome.candidates} == {ids[1]}
    with pytest.raises(UsageError, match="no prose section"):
        run(document, teacher(tmp_path, saying(TRUE)), sections=("beef",))


def test_answers_are_asked_once_and_the_same_plan_comes_of_it(tmp_path: Path) -> None:
    document, told = written(tmp_path), teacher(tmp_path, saying(TRUE))
    first = run(document, told)
    asked = calls(tmp_path)
    again = run(document, told)
    assert asked == calls(tmp_path) > 0
    assert first.plan.run == again.plan.run
    assert accepted(first) == accepted(again)


def test_applied_and_reverted_the_file_has_its_bytes_again(tmp_path: Path) -> None:
    document = written(tmp_path)
    assert document.path is not None
    before = document.path.read_bytes()
    outcome = run(document, teacher(tmp_path, saying(TRUE)))
    apply_to_file(document.path, outcome.plan)
    assert verify(parse_file(document.path))
    revert_to_file(document.path, [Origin.SYNTHESIZED])
    assert document.path.read_bytes() == before


HOSTILE = [
    "::\n::preference::\n### Prompt\nx\n### Chosen\ny\n### Rejected\nz\n::",
    "---\ndlm_id: stolen\n---",
    '<!-- dlm-auto-synth: run="mine" -->',
    "```\nnever closed\n::instruction::\n### Q\nIn?\n### A\nOut.",
    "~~~~\n::\n```",
    "line.\n" * 5000,
    "\x00\x1b[2J\u202eevil\ud800",
    "\\::\n\\### A\n#### Q\n::prose::",
    "a" * 100_000,
]


@pytest.mark.parametrize("filter", list(Filter))
def test_hostile_text_lands_inside_one_section_or_is_dropped(
    tmp_path: Path, filter: Filter
) -> None:
    document = written(tmp_path)
    told = [(f"Who sells {number}?", text) for number, text in enumerate(HOSTILE)]
    told += [(text, "Peter Loom.") for text in HOSTILE]
    outcome = run(document, teacher(tmp_path, saying(told)), filter=filter, **MANY)
    after = applied(document, outcome.plan)
    prose = [s.content.strip() for s in after.sections if s.type.value == "prose"]
    assert "\n\n".join(prose) == PROSE.strip()
    assert {s.type.value for s in after.sections} <= {"prose", "instruction"}
    assert after.frontmatter == document.frontmatter
    assert all(s.provenance and s.provenance.run == outcome.plan.run for s, _ in after.pairs())
    assert len(list(after.pairs())) == len(outcome.plan.additions)


def test_a_command_judges(tmp_path: Path) -> None:
    judge = tmp_path / "judge.py"
    judge.write_text(
        "import json, sys\n"
        "told = json.load(sys.stdin)\n"
        "assert told['passage']\n"
        "print(json.dumps({'score': 0.9 if '14' in told['candidate'] or 'fourteen' in "
        "told['candidate'] else 0.1, 'reasoning': 'I like fourteen'}))\n",
        "utf-8",
    )
    spec = f"cli:{sys.executable} {judge}"
    outcome = run(written(tmp_path), teacher(tmp_path, saying(TRUE)), judge=spec, **MANY)
    assert accepted(outcome) == [TRUE[3]]
    dropped = [one for one in outcome.candidates if one.dropped is Stage.THRESHOLD]
    assert dropped
    assert all("below 0.5" in one.reason for one in dropped)
    judge.write_text("print('no')", "utf-8")
    with pytest.raises(JudgeError, match="times in a row"):
        run(written(tmp_path), teacher(tmp_path, saying(TRUE)), judge=spec, **MANY)


def test_a_changed_source_is_found(tmp_path: Path) -> None:
    document = written(tmp_path)
    assert document.path is not None
    outcome = run(document, teacher(tmp_path, saying(TRUE)), **MANY)
    apply_to_file(document.path, outcome.plan)
    verdicts = verify(parse_file(document.path))
    assert len(verdicts) == len(outcome.plan.additions)
    assert all(verdict.reason is None for verdict in verdicts)
    text = document.path.read_text("utf-8")
    changed = text.replace(
        "Lettuce seed needs fourteen hours. Tomato", "Lettuce seed needs 15 hours. Tomato"
    )
    document.path.write_text(changed, "utf-8")
    fallen = [verdict for verdict in verify(parse_file(document.path)) if verdict.reason]
    assert [verdict.question for verdict in fallen] == [TRUE[3][0]]
    moved = text.replace("Lettuce seed needs fourteen hours. ", "").replace(
        "## Repairs\n", "## Repairs\n\nAs you know, lettuce seed needs fourteen hours.\n"
    )
    document.path.write_text(moved, "utf-8")
    assert not [verdict for verdict in verify(parse_file(document.path)) if verdict.reason]


def test_expansion_has_no_sentence_and_is_not_checked(tmp_path: Path) -> None:
    body = saying(
        [("Why does lettuce seed need fourteen hours?", "Because lettuce seed is small.")]
    )
    outcome = run(
        written(tmp_path),
        teacher(tmp_path, body),
        strategy=Strategy.EXPANSION,
        filter=Filter.DEDUP_ONLY,
    )
    after = applied(written(tmp_path), outcome.plan)
    assert [verdict.checked for verdict in verify(after)] == [False]


def test_facts_survive_in_the_staged_plan(honest: Outcome) -> None:
    note = json.loads(json.dumps(dict(honest.plan.note)))
    assert note["funnel"] == honest.funnel
    assert note["calls"]["asked"] > 0
    assert note["strategy"] == "extraction"


def test_what_a_run_came_to_outlives_its_plan(tmp_path: Path) -> None:
    document = written(tmp_path)
    told = teacher(tmp_path, saying([TRUE[0], TRUE[0], TRUE[1], ("Not a question", "It is so.")]))
    for _ in range(2):
        outcome = run(document, told, filter=Filter.DEDUP_ONLY, **MANY)
    with database_of(document) as database:
        (kept,) = synth_runs(database)
    assert (kept.run, kept.teacher) == (outcome.plan.run, outcome.plan.by)
    assert kept.note["funnel"] == outcome.funnel
    assert kept.planned == len(outcome.plan.additions) > 0
    assert {one["dropped"] for one in kept.samples} == {one.dropped for one in outcome.candidates}
    assert all(one["reason"] for one in kept.samples if one["dropped"])


def test_the_database_can_be_shared(tmp_path: Path) -> None:
    document = written(tmp_path)
    with database_of(document) as database:
        outcome = run(document, teacher(tmp_path, saying(TRUE)), filter=Filter.NONE)
        assert [one.run for one in synth_runs(database)] == [outcome.plan.run]
