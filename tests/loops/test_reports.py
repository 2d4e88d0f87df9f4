"""Reports of evaluation tools, read: every pair that stands in them, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlm.doc.document import Document
from dlm.doc.parser import parse_file, parse_text
from dlm.errors import DlmError
from dlm.loops.edits import NewPair, NewTriple
from dlm.loops.proposals import Proposal
from dlm.loops.reports import Choices, Report, read_report

CASES = Path(__file__).parent.parent / "cases" / "reports"
HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
LONG = "Which of the four presses in the old barn behind the orchard on Windle Hill is used "


def sway(folder: Path, *probes: dict[str, Any], **keys: Any) -> Path:
    path = folder / "report.json"
    path.write_text(json.dumps({"sway_version": "0.1.0", "probes": probes, **keys}, indent=1))
    return path


def failing(kind: str, name: str = "p", **evidence: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "verdict": "fail", "score": 0.25, "evidence": evidence}


def document(*pairs: tuple[str, str], more: str = "") -> Document:
    body = "".join(f"### Q\n{question}\n### A\n{answer}\n" for question, answer in pairs)
    return parse_text(f"{HEAD}Prose of the barn.\n\n::instruction::\n{body}::\n{more}")


def recovered(path: Path, of: Document) -> Report:
    return read_report(path, choices=Choices(document=of))


def pairs(report: Report) -> list[tuple[Proposal, NewPair]]:
    return [(one, one.content) for one in report.found if isinstance(one.content, NewPair)]


def triples(report: Report) -> list[NewTriple]:
    return [one.content for one in report.found if isinstance(one.content, NewTriple)]


def asked(report: Report) -> list[tuple[str, str]]:
    return [(pair.question, pair.answer) for _, pair in pairs(report)]


def test_prompt_and_reference_are_taken_from_the_evidence(tmp_path: Path) -> None:
    good = failing("recall", "pears", prompt="How many?", reference="Forty.", confidence=0.8)
    passed = {**failing("recall", prompt="Q", reference="A"), "verdict": "pass"}
    blank = failing("recall", "blank", prompt="Why?", reference="  ")
    report = read_report(sway(tmp_path, good, passed, blank))
    ((one, pair),) = pairs(report)
    assert (pair.question, pair.answer, one.source) == ("How many?", "Forty.", "pears")
    assert (one.confidence, dict(one.scores)) == (0.8, {"score": 0.25})
    assert [(one.source, one.reason) for one in report.unusable] == [
        ("blank", "its evidence has a prompt and no reference")
    ]
    assert (report.probes, report.failing) == (3, 2)


def test_a_real_report_gives_its_worst_offenders_and_names_the_rest() -> None:
    orchard = parse_file(CASES / "orchard.dlm")
    recovery = recovered(CASES / "sway-orchard.json", orchard)
    assert asked(recovery) == [
        ("The longest river in Africa is the", "Nile"),
        ("CPU stands for Central Processing", "Unit"),
        ("GPU stands for Graphics Processing", "Unit"),
        ("The Sahara Desert is in", "Africa"),
        ("The Atlantic Ocean separates the Americas from", "Europe"),
    ]
    assert [one.prompt for one in triples(recovery)] == ["A visitor asks for cider."]
    assert {one.source for one in recovery.unusable} == {
        "delta_kl_doc",
        "style_shift",
        "external_ppl",
        "adapter_ablation",
        "section_attribution",
        "verbatim_leak",
    }
    assert recovery.notes == ("general_knowledge: 36 items got worse, and the report names 5",)


def test_a_real_report_of_cut_prompts_is_completed_from_its_suite() -> None:
    orchard = parse_file(CASES / "orchard.dlm")
    recovery = recovered(CASES / "sway-visitors.json", orchard)
    assert [pair for pair in asked(recovery) if pair[1].endswith(".")] == [
        (
            "What is the name of the dog that sleeps in the press house at the orchard on "
            "Windle Hill?",
            "Bramble.",
        ),
        ("What stands by the gate?", "One old quince."),
        (
            "Which varieties of apple does the orchard sell at the Saturday market in the village?",
            "Only russets.",
        ),
    ]
    assert len(pairs(recovery)) == 8
    assert recovery.unusable == ()


def test_a_cut_prompt_is_completed_from_the_document(tmp_path: Path) -> None:
    whole = LONG + "for cider?"
    cases = [{"prompt": whole[:80], "verbatim_lift": 0.1, "paraphrase_lift": 0.0}]
    path = sway(tmp_path, failing("paraphrase_invariance", per_case=cases))
    recovery = recovered(path, document((whole, "The second."), ("Else?", "No.")))
    ((one, pair),) = pairs(recovery)
    assert (pair.question, pair.answer, one.own) == (whole, "The second.", True)
    assert one.how == "prompt completed from the document"
    assert dict(one.scores) == {"verbatim_lift": 0.1, "paraphrase_lift": 0.0}


def test_a_prompt_that_may_be_two_is_not_guessed(tmp_path: Path) -> None:
    two = ((LONG + "for cider?", "The second."), (LONG + "for perry?", "The third."))
    cases = [{"prompt": LONG[:80]}]
    path = sway(tmp_path, failing("paraphrase_invariance", per_case=cases))
    recovery = recovered(path, document(*two))
    assert pairs(recovery) == []
    assert "may be any of 2 in the document" in recovery.unusable[0].reason
    both = sway(tmp_path, failing("paraphrase_invariance", per_case=cases * 2))
    assert asked(recovered(both, document(*two))) == list(two)


def test_a_short_prompt_is_whole_and_must_match_whole(tmp_path: Path) -> None:
    path = sway(tmp_path, failing("paraphrase_invariance", per_case=[{"prompt": "Which"}]))
    recovery = recovered(path, document(("Which barn?", "The old one.")))
    assert pairs(recovery) == []
    assert "neither in the document nor in the suite" in recovery.unusable[0].reason


def test_the_suite_completes_prompts_and_paraphrases(tmp_path: Path) -> None:
    whole = LONG + "for perry?"
    suite = {
        "suite": [
            {
                "name": "p",
                "kind": "adapter_revert",
                "cases": [{"prompt": "Perry?", "gold": " Third. ", "paraphrases": [whole, "Say."]}],
            }
        ]
    }
    (tmp_path / "sway.yaml").write_text(json.dumps(suite))
    cases = [{"prompt": whole[:80], "reverted": True}, {"prompt": "Say.", "reverted": False}]
    path = sway(tmp_path, failing("adapter_revert", per_case=cases), spec_path="ci/sway.yaml")
    recovery = recovered(path, document(("Else?", "No.")))
    assert asked(recovery) == [(whole, "Third.")]
    assert recovery.found[0].how == "prompt completed from the suite"
    assert not recovery.found[0].own


def test_without_the_suite_the_generated_paraphrases_of_the_document_are_known(
    tmp_path: Path,
) -> None:
    cases = [{"prompt": "I'd like to know — Where is the barn.", "reverted": True}]
    path = sway(tmp_path, failing("adapter_revert", per_case=cases), spec_path="gone.yaml")
    recovery = recovered(path, document(("Where is the barn?", "Behind.")))
    assert asked(recovery) == [("I'd like to know — Where is the barn.", "Behind.")]
    assert "gone.yaml is not there" in recovery.notes[0]


@pytest.mark.parametrize("text", ["{", "- 1", "suite: 7", "a: &a [*a]", "\x00", "suite: [x]"])
def test_a_suite_that_is_none_is_said_and_stops_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "sway.yaml").write_text(text)
    cases = [{"prompt": "Where is the barn?"}]
    path = sway(tmp_path, failing("paraphrase_invariance", per_case=cases), spec_path="sway.yaml")
    recovery = recovered(path, document(("Where is the barn?", "Behind.")))
    assert asked(recovery) == [("Where is the barn?", "Behind.")]


def test_a_weak_section_gives_its_pairs_and_those_made_from_it(tmp_path: Path) -> None:
    plain = document(("Where?", "Here."), ("When?", "Now."))
    prose, pairs = plain.sections
    made = (
        f'\n::instruction::\n<!-- dlm-auto-synth: synth_teacher="self" '
        f'source_section_id="{prose.section_id}" run="r" -->\n'
        "### Q\nWhat prose?\n### A\nOurs.\n::\n"
    )
    listed = [
        {"section_id": prose.section_id, "kind": "prose", "passed": False, "effective_sis": -0.2},
        {"section_id": pairs.section_id, "kind": "instruction", "passed": True},
        {"section_id": "0" * 16, "passed": False},
    ]
    path = sway(tmp_path, failing("section_internalization", per_section=listed))
    recovery = recovered(path, document(("Where?", "Here."), ("When?", "Now."), more=made))
    assert asked(recovery) == [("What prose?", "Ours.")]
    assert [one.reason for one in recovery.unusable] == [
        f"section {'0' * 16} is not in the document; it was changed since"
    ]
    leak = [{"section_id": pairs.section_id, "clean_recall": 0.9, "fragility": 0.1}]
    path = sway(tmp_path, failing("leakage", per_section=leak))
    assert asked(recovered(path, plain)) == [("Where?", "Here."), ("When?", "Now.")]


def test_triples_come_from_the_suite_else_from_the_document(tmp_path: Path) -> None:
    more = "\n::preference::\n### Prompt\nHi\n### Chosen\nHello.\n### Rejected\nNo.\n::\n"
    path = sway(tmp_path, failing("preference_flip", base_wrong=4, flipped=1), spec_path="s.yaml")
    own = recovered(path, document(("a?", "b"), more=more))
    assert [(one.prompt, one.chosen) for one in triples(own)] == [("Hi", "Hello.")]
    triple = {"prompt": "Bye", "chosen": "Farewell.", "rejected": "Go."}
    suite = {"suite": [{"name": "p", "kind": "preference_flip", "triples": [triple]}]}
    (tmp_path / "s.yaml").write_text(json.dumps(suite))
    assert [one.prompt for one in triples(recovered(path, document(("a?", "b"))))] == ["Bye"]


def test_every_failing_probe_of_any_kind_is_used_or_named(tmp_path: Path) -> None:
    kinds = "delta_kl adapter_ablation prompt_collapse cluster_kl style_fingerprint leakage"
    kinds += " external_perplexity null_adapter preference_flip adapter_revert calibration_drift"
    kinds += " paraphrase_invariance section_internalization something_new"
    probes = [failing(kind, kind) for kind in kinds.split()]
    recovery = recovered(sway(tmp_path, *probes), document(("a?", "b")))
    assert {one.source for one in recovery.unusable} == set(kinds.split())
    assert pairs(recovery) == []


def test_promptfoo_results() -> None:
    report = read_report(CASES / "promptfoo.json")
    assert [(pair.question, pair.answer, one.source) for one, pair in pairs(report)] == [
        ("Where is the ladder kept?", "In the loft.", "ladder"),
        ("Who presses the cider?", "Agnes", "test-2"),
    ]
    assert [one.source for one in report.unusable] == ["test-3"]
    assert (report.probes, report.failing) == (5, 3)
    assert report.notes == ("1 of 5 got no answer or no verdict: no failure of the model",)


def test_lm_evaluation_harness_samples() -> None:
    report = read_report(CASES / "samples_orchard.jsonl")
    assert asked(report) == [
        ("Question: Where do the keys hang?\nAnswer:", "Behind the clock."),
        ("The press is cleaned with", "vinegar"),
    ]
    assert report.unusable == ()
    assert (report.probes, report.failing) == (4, 2)
    assert report.notes == ("1 of 4 got no answer or no verdict: no failure of the model",)


@pytest.mark.parametrize(
    "text",
    [
        '{"prompt": "How\\nmany?", "reference": "Forty.", "name": "n"}\n\n'
        '{"prompt": "x", "reference": "y", "passed": true}\n{"prompt": "only"}\n',
        '[{"question": "How\\nmany?", "answer": "Forty.", "id": "n"}, {"question": "only"}]',
        '\ufeffname,prompt,reference\r\nn,"How\nmany?",Forty.\r\nm,only,\r\n',
        'prompt\tgold\tprobe\tverdict\n"How\nmany?"\tForty.\tn\tfail\nonly\t\tm\t\nx\ty\tz\tpass\n',
    ],
)
def test_plain_lists(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pairs"
    path.write_bytes(text.encode())
    report = read_report(path)
    assert [(pair.question, pair.answer, one.source) for one, pair in pairs(report)] == [
        ("How\nmany?", "Forty.", "n")
    ]
    assert [one.reason.rsplit(": ", 1)[1] for one in report.unusable] == [
        "this row has no reference"
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (b"", 1, "empty"),
        (b'{\n "probes": [\n', 3, "not JSON"),
        (b'{\n "probes": 7\n}', 2, "a list 'probes'"),
        (b'{\n "probes": [\n  {},\n  7\n ]\n}', 4, "probe 2 is not an object"),
        (b'{"probes": [{"evidence": []}]}', 1, "probe 1 is not an object"),
        (b'{\n "results": {\n  "results": 3}}', 3, "a list 'results'"),
        (b'{"doc_id": 1}\n[]\n', 2, "not a JSON object"),
        (b'{"prompt": "a", "answer": "b"}\n{"prompt": \n', 2, "not JSON"),
        (b'[\n {"prompt": "a", "answer": "b"},\n 3]', 3, "entry 2 is not an object"),
        (b"hello\nthere", 1, "neither JSON nor a table"),
        (b'{"what": "ever"}', 1, "no report of"),
        (b'prompt,reference\na,"b\n', 2, "not CSV"),
        (b"ok\n\xff\xfe", 2, "not UTF-8"),
        (b"[" * 100_000, 1, "JSON"),
    ],
)
def test_what_is_malformed_is_named_by_file_and_line(
    tmp_path: Path, text: bytes, line: int, says: str
) -> None:
    path = tmp_path / "r"
    path.write_bytes(text)
    with pytest.raises(DlmError) as caught:
        read_report(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert says in caught.value.message


def test_the_format_can_be_forced(tmp_path: Path) -> None:
    path = sway(tmp_path, failing("recall", prompt="a", reference="b"))
    with pytest.raises(DlmError, match="promptfoo results are"):
        read_report(path, "promptfoo")
    with pytest.raises(DlmError, match="no report format 'yaml'"):
        read_report(path, "yaml")
    with pytest.raises(DlmError, match="there is no report"):
        read_report(tmp_path / "gone.json")
