"""Whatever a teacher says, the document around what is kept stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from hypothesis import given, settings, strategies as st
from strategies import TEASING_LINES
from synth_kit import HEAD, PROSE, TRUE

from dlm.data.chat import Codec
from dlm.doc.parser import parse_text
from dlm.doc.provenance import Origin
from dlm.loops.edits import applied, reverted
from dlm.loops.proposals import Proposer
from dlm.loops.synth import Filter, SynthOptions
from dlm.loops.synth.candidates import Stage, funnel_of
from dlm.loops.synth.filters import Bench, run_filters
from dlm.loops.synth.generate import plan_asks, read
from dlm.loops.synth.provenance import addition_of

DOCUMENT = parse_text(
    f"{HEAD}{PROSE}\n::instruction::\n### Q !exam\n{TRUE[0][0]}\n### A\n{TRUE[0][1]}\n::\n"
    "\nMore prose stands here: the boat is blue.\n"
)
# Nothing is loaded: these filters measure nothing, and a narrow teacher's requests need no codec.
BENCH = Bench(cast("object", None), cast("object", None))  # type: ignore[arg-type]
ASKS = plan_asks(DOCUMENT, SynthOptions(), cast("Codec", None), narrow=True)
AT = datetime(2026, 4, 23, tzinfo=UTC)

_LINES = st.one_of(
    st.sampled_from([*TEASING_LINES, "### Q", "### A", "Q: Who?", "A: Wren.", '{"q": "x", "a": "'])
    | st.sampled_from([f"### Q\n{q}\n### A\n{a}" for q, a in TRUE]),
    st.text(max_size=40),
)
_COMPLETIONS = st.lists(st.lists(_LINES, max_size=12).map("\n".join), max_size=4)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_COMPLETIONS, max_size=len(ASKS)),
    st.sampled_from([Filter.NONE, Filter.DEDUP_ONLY]),
    st.integers(1, 4),
)
def test_any_completions_end_as_inert_sections_that_can_be_taken_out(
    completions: list[list[str]], chosen: Filter, per_section: int
) -> None:
    options = SynthOptions(filter=chosen, per_section=per_section)
    answers = [*completions, *[[]] * (len(ASKS) - len(completions))]
    written = read(ASKS, answers)
    candidates = run_filters(written.candidates, DOCUMENT, options, BENCH)
    proposer = Proposer("r1", Origin.SYNTHESIZED, "cli:x", AT)
    plan = proposer.plan(
        DOCUMENT, [addition_of(one, proposer, "sway") for one in candidates if not one.dropped]
    )
    after = applied(DOCUMENT, plan)
    ours = [section for section in after.sections if section.provenance]
    rest = [section for section in after.sections if not section.provenance]
    assert len(ours) == len(plan.additions)
    assert [section.section_id for section in rest] == [
        section.section_id for section in DOCUMENT.sections
    ]
    kept = [(one.question, one.answer) for one in candidates if not one.dropped]
    assert sorted((pair.question, pair.answer) for s in ours for pair in s.pairs) == sorted(kept)
    assert TRUE[0] not in kept
    assert reverted(after, [Origin.SYNTHESIZED]).document.to_bytes() == DOCUMENT.to_bytes()
    funnel = funnel_of(candidates, len(written.unparsed))
    counts = [funnel["generated"], *(funnel[stage.value] for stage in Stage)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == len(kept)
