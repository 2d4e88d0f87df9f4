"""Whatever a model says stays inside one section, and can be taken out again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings, strategies as st
from strategies import DLM_ID

from dlm.data.lessons import lessons_of
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin
from dlm.loops.edits import apply_to_file, revert_to_file
from dlm.loops.mine.candidates import Candidate, Contrast, Mined
from dlm.loops.mine.run import addition_of
from dlm.loops.mine.sampling import _with
from dlm.loops.proposals import Proposer

TEXT = (
    f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\n# Shed\n\n"
    "::instruction::\n### Q\nWho rows?\n### A\nWren rows.\n::\n\nProse behind it.\n\n"
    "::instruction::\n### Q\nWho mends?\n### A\nTamm mends."
)
AT = datetime(2026, 4, 23, 18, 42, tzinfo=UTC)
ANSWERS = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "::\n::preference::\n### Prompt\nx\n### Chosen\ny\n### Rejected\nz\n::",
            "---\ndlm_id: stolen\n---",
            '<!-- dlm-auto-mined: judge_name="me" -->',
            "```\nnever closed\n::instruction::\n### Q\nIn?\n### A\nOut.",
            "~~~~\n::\n```",
            "\x00\x1b[2J\u202eevil\ud800",
            "\\::\n\\### Chosen\n### Rejected\n::prose::",
            "line\r\n\r\n### Prompt\r",
            "a" * 5000,
        ]
    ),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    said=st.lists(st.tuples(ANSWERS, ANSWERS), min_size=2, max_size=2),
    judge=st.text(max_size=30),
    windows=st.booleans(),
)
def test_hostile_answers_are_inert_and_a_revert_gives_the_same_bytes(
    tmp_path: Path, said: list[tuple[str, str]], judge: str, windows: bool
) -> None:
    path = tmp_path / "notes.dlm"
    path.write_bytes(TEXT.replace("\n", "\r\n" if windows else "\n").encode())
    bytes_before, before = path.read_bytes(), parse_file(path)
    mined = []
    for lesson, texts in zip(lessons_of(before).pairs, said, strict=True):
        one = _with(Mined(lesson), texts, Candidate("", "self:v0001", True, True))
        left = one.left
        assert all(each.text for each in left)
        if len(left) == 2:
            mined.append(Mined(lesson, left, 1.0, Contrast(left[0], left[1])))
    proposer = Proposer("mine-1", Origin.MINED, judge, AT)
    additions = [
        addition_of(each, each.contrast, proposer) for each in _scored(mined) if each.contrast
    ]
    plan = proposer.plan(before, additions)
    assert len(plan) == len(mined)
    apply_to_file(path, plan)
    after = parse_file(path)
    assert after.frontmatter == before.frontmatter
    own = [section.section_id for section in after.sections if section.provenance is None]
    assert own == [section.section_id for section in before.sections]
    found = [triple for section in after.sections for triple in section.triples]
    assert [one.prompt for one in found] == [one.prompt for one in mined]
    revert_to_file(path, [Origin.MINED])
    assert path.read_bytes() == bytes_before


def _scored(mined: list[Mined]) -> list[Mined]:
    found = []
    for each in mined:
        assert each.contrast is not None
        better, worse = each.contrast.chosen, each.contrast.rejected
        pair = Contrast(
            Candidate(better.text, better.source, True, True, score=2.0),
            Candidate(worse.text, worse.source, True, True, score=1.0),
        )
        found.append(Mined(each.lesson, each.candidates, 2.0, pair))
    return found
