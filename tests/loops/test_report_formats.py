"""Reports as the tools write them: each folder of `tests/cases/harvest` gives what it expects."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from dlm.errors import DlmError
from dlm.loops.reports import Choices, Report, read_report

CASES = Path(__file__).parent.parent / "cases" / "harvest"


def written(folder: Path, *rows: dict[str, Any], name: str = "report.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def asked(report: Report) -> list[list[str]]:
    return [[one.prompt, one.reference] for one in report.pairs]


@pytest.mark.parametrize("folder", sorted(CASES.iterdir()), ids=lambda folder: folder.name)
def test_a_report_gives_what_its_folder_expects(folder: Path) -> None:
    expect = json.loads((folder / "expect.json").read_text("utf-8"))
    path, choices = folder / expect["report"], Choices(**expect.get("choices", {}))
    if "refused" in expect:
        with pytest.raises(DlmError) as caught:
            read_report(path, choices=choices)
        assert str(caught.value).startswith(f"{path}:{expect['refused']}")
        assert caught.value.hint
        return
    report = read_report(path, choices=choices)
    assert (report.failing, report.probes) == (expect["failing"], expect["probes"])
    assert asked(report) == expect["pairs"]
    for what, have in (
        ("unusable", [one.reason for one in report.unusable]),
        ("notes", list(report.notes)),
    ):
        wanted = expect.get(what, [])
        assert len(have) == len(wanted), have
        assert all(part in text for part, text in zip(wanted, have, strict=True)), have


CLEAR = ("reference", "ground_truth", "goldAnswer", "expected_output", "Label", "target", "gts")
EITHER = ("answer", "output", "completion", "response", "solution")
SIGNS: dict[str, Any] = {
    "score": 0.1,
    "passed": False,
    "verdict": "fail",
    "contexts": ["x"],
    "model": "m",
    "provider": "p",
    "faithfulness": 0.2,
    "prediction": "Said.",
}


@pytest.mark.parametrize("clear", CLEAR)
@pytest.mark.parametrize("either", EITHER)
def test_a_clear_name_wins_wherever_it_stands(tmp_path: Path, clear: str, either: str) -> None:
    columns = [("question", "Who?"), (clear, "Right."), (either, "Said."), ("correct", False)]
    for seed in range(4):
        random.Random(seed).shuffle(columns)
        assert asked(read_report(written(tmp_path, dict(columns)))) == [["Who?", "Right."]]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("either", EITHER)
def test_a_name_that_may_be_either_is_refused_in_an_evaluation(
    tmp_path: Path, either: str, sign: str
) -> None:
    row = {"question": "Who?", either: "Said."}
    assert asked(read_report(written(tmp_path, row))) == [["Who?", "Said."]]
    path = written(tmp_path, {**row, sign: SIGNS[sign]})
    with pytest.raises(
        DlmError, match=f"'{either}' may be what the model said.*'{sign}'"
    ) as caught:
        read_report(path)
    assert "--reference-field" in str(caught.value.hint)
    told = read_report(path, choices=Choices(reference_field=either, failed_when="question=Who?"))
    assert asked(told) == [["Who?", "Said."]]


def test_two_names_that_may_be_either_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"question": "Who?", "answer": "a", "response": "b"})
    with pytest.raises(DlmError, match="'answer', 'response' may be what the model said"):
        read_report(path)


@pytest.mark.parametrize(
    ("column", "passed", "failed"),
    [
        ("correct", True, False),
        ("is_correct", 1, 0),
        ("passed", "yes", "no"),
        ("verdict", "CORRECT", "partially correct"),
        ("Status", "PASS", "FAIL"),
        ("pass", "WAHR", "FALSCH"),
        ("grade", "correct", "incorrect"),
        ("score", 5, 4),
        ("score", "100%", "60%"),
        ("exact_match", 1.0, 0.0),
        ("rougeL", 1, 0.4),
        ("prediction", "right", "Wrong."),
    ],
)
def test_what_passed_is_no_failure(
    tmp_path: Path, column: str, passed: object, failed: object
) -> None:
    rows = [
        {"question": f"Q{at}?", "reference": "Right.", column: value}
        for at, value in enumerate((passed, failed, passed))
    ]
    report = read_report(written(tmp_path, *rows))
    assert (report.failing, report.probes) == (1, 3)
    assert asked(report) == [["Q1?", "Right."]]


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        (12, "12"),
        (0.5, "0.5"),
        (False, "false"),
        (["a", "b"], "a"),
        ("['a', 'b']", "a"),
        ("[not] a list", "[not] a list"),
        ({"value": "a", "aliases": ["b"]}, "a"),
        ({"text": ["a"], "answer_start": [3]}, "a"),
    ],
)
def test_a_reference_of_any_kind(tmp_path: Path, value: object, reference: str) -> None:
    row = {"question": "Who?", "reference": value, "correct": False}
    assert asked(read_report(written(tmp_path, row))) == [["Who?", reference]]


@pytest.mark.parametrize(
    ("said", "failing"),
    [
        ("score<0.5", 1),
        ("score <= 0.5", 2),
        ("score>0.5", 1),
        ("score=0.5", 1),
        ("score!=0.5", 2),
        ("Kind == near", 1),
        ("kind!='near'", 2),
    ],
)
def test_failed_when(tmp_path: Path, said: str, failing: int) -> None:
    rows = [
        {"question": f"Q{at}", "reference": "R", "score": score, "Kind": kind}
        for at, (score, kind) in enumerate(((0.2, "far"), (0.5, "near"), (0.9, "far")))
    ]
    path = written(tmp_path, *rows)
    assert read_report(path, choices=Choices(failed_when=said)).failing == failing


@pytest.mark.parametrize("said", ["score", "score<high", "colour=red"])
def test_a_condition_that_cannot_be_is_refused(tmp_path: Path, said: str) -> None:
    path = written(tmp_path, {"question": "Q", "reference": "R", "score": 1})
    with pytest.raises(DlmError, match=r"no condition|no number|no column 'colour'"):
        read_report(path, choices=Choices(failed_when=said))


def test_a_choice_that_a_format_does_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"probes": []}')
    with pytest.raises(DlmError, match=r"--provider is of no use for .*, a report of sway"):
        read_report(path, choices=Choices(provider="x"))


def test_a_provider_that_did_not_answer_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"question": "Q", "reference": "R", "model": "small"})
    with pytest.raises(DlmError, match="no answers of 'large'") as caught:
        read_report(path, choices=Choices(provider="large"))
    assert caught.value.hint == "its providers: small"


def test_an_unknown_format_is_refused_with_those_known(tmp_path: Path) -> None:
    with pytest.raises(DlmError, match="it has 'what', 'ever'") as caught:
        read_report(written(tmp_path, {"what": 1, "ever": 2}))
    for tool in ("promptfoo", "lm-evaluation-harness", "DeepEval", "OpenAI evals", "RAGAS", "verl"):
        assert tool in str(caught.value.hint)


QUESTION = "Question: Where do the rakes lean?\nAnswer:"


@pytest.mark.parametrize("shots", [1, 2, 5])
@pytest.mark.parametrize(
    ("description", "separator"),
    [
        *(("", between) for between in ("\n\n", "\n", "\n\n\n", "\n###\n", "\n---\n\n", " ")),
        *(("Answer with few words.\n\n", between) for between in ("\n\n", "\n", "\n###\n")),
    ],
)
def test_worked_examples_are_no_part_of_the_question(
    tmp_path: Path, shots: int, description: str, separator: str
) -> None:
    examples = [f"Question: What is plot {at}?\nAnswer: Kale {at}" for at in range(shots)]
    context = description + separator.join([*examples, QUESTION])
    doc = {"question": "Where do the rakes lean?", "answer": "By the pump."}
    row = {"doc_id": 0, "doc": doc, "target": "By the pump.", "exact_match": 0}
    path = written(tmp_path, {**row, "arguments": [[context, {}]]})
    assert asked(read_report(path)) == [[QUESTION, "By the pump."]]


TEMPLATES = [
    "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>user<|im_sep|>{}<|im_end|><|im_start|>assistant<|im_sep|>",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\n{} [/INST]",
    "[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST]{}[/INST]",
    "<bos><start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n",
    "<|system|>\nS</s>\n<|user|>\n{}</s>\n<|assistant|>\n",
    "<|user|>\n{}<|end|>\n<|assistant|>\n",
    "<｜begin▁of▁sentence｜>S<｜User｜>{}<｜Assistant｜><think>\n",
    "<|start|>system<|message|>S<|end|><|start|>user<|message|>{}<|end|><|start|>assistant",
    "S\n\n### Instruction:\n{}\n\n### Response:\n",
    "S USER: {} ASSISTANT:",
    "system\nS\nuser\n{}\nassistant\n",
    "system\n\nS.user\n\n{}assistant\n\n",
]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("question", ["Where do the rakes lean?", "Is it <b>?\n\nOr [1]?"])
def test_a_rendered_prompt_gives_its_question(tmp_path: Path, template: str, question: str) -> None:
    row = {"prompt": template.replace("{}", question), "predict": "Said.", "label": "Right."}
    assert asked(read_report(written(tmp_path, row))) == [[question, "Right."]]
