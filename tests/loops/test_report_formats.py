"""Reports as the tools write them: each folder of `tests/cases/harvest` gives what it expects."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from dlm.errors import DlmError
from dlm.loops.edits import NewPair
from dlm.loops.reports import Choices, Report, read_report

CASES = Path(__file__).parent.parent / "cases" / "harvest"


def written(folder: Path, *rows: Any, name: str = "report.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def asked(report: Report) -> list[list[str]]:
    pairs = (one.content for one in report.found)
    return [[one.question, one.answer] for one in pairs if isinstance(one, NewPair)]


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
    "<|im_system|>system<|im_middle|>S<|im_end|><|im_user|>user<|im_middle|>{}<|im_end|>"
    "<|im_assistant|>assistant<|im_middle|>",
    "[|system|]S[|endofturn|]\n[|user|]{}\n[|assistant|]",
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


# promptfoo


def graded(kind: str, value: object, ok: bool = False, **more: object) -> dict[str, Any]:
    """What promptfoo records of an assertion."""
    return {"pass": ok, "reason": "…", "assertion": {"type": kind, "value": value}, **more}


def result(*parts: dict[str, Any], said: str = "At noon.", **more: Any) -> dict[str, Any]:
    """A result of promptfoo that failed these parts."""
    return {
        "success": False,
        "failureReason": 1,
        "gradingResult": {"pass": False, "componentResults": list(parts)},
        "prompt": {"raw": "When is the gate shut?", "label": "{{question}}"},
        "promptIdx": 0,
        "testIdx": 0,
        "provider": {"id": "openai:chat:small", "label": "Mine"},
        "response": {"output": said},
        "vars": {"question": "When is the gate shut?"},
        **more,
    }


RIGHT = graded("equals", "At dusk.")
LOOSE = graded("contains", "dusk")
WITH_EXPECTED = {"vars": {"expected": "At dusk."}}
SET = {
    "pass": True,
    "componentResults": [graded("equals", "At nine."), graded("contains", "n", True)],
}


@pytest.mark.parametrize(
    ("row", "reference"),
    [
        (result(RIGHT), "At dusk."),
        (result(LOOSE, RIGHT), "At dusk."),
        (result({"pass": False, "componentResults": [RIGHT, LOOSE]}, RIGHT, LOOSE), "At dusk."),
        (result(SET, *SET["componentResults"], RIGHT), "At dusk."),
        (
            result(
                RIGHT,
                {**RIGHT, "assertion": {"type": "equals", "value": "x", "metricOnly": True}},
            ),
            "At dusk.",
        ),
        (result(graded("similar:cosine", "At dusk.")), "At dusk."),
        (result(graded("equals", {"hour": 9})), '{"hour": 9}'),
        (result(graded("equals", "At {{ when }}."), vars={"when": "dusk"}), "At dusk."),
        (result(graded("equals", "{{ a | upper }}"), vars={"expected": 9}), "9"),
        (result(graded("javascript", "…"), vars={"answer": "At dusk."}), "At dusk."),
    ],
)
def test_the_reference_of_a_promptfoo_result(
    tmp_path: Path, row: dict[str, Any], reference: str
) -> None:
    assert [answer for _, answer in asked(read_report(written(tmp_path, row)))] == [reference]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            result(graded("equals", "At dusk.", True), graded("latency", 9), **WITH_EXPECTED),
            "right",
        ),
        (result(graded("latency", 9), said="at dusk", **WITH_EXPECTED), "said the reference"),
        (result(graded("not-contains", "noon")), "no assertion that failed holds an answer"),
        (result(graded("equals", "file://gold.txt")), "no assertion that failed holds an answer"),
        (result(RIGHT, graded("equals", "At nine.")), "each names another answer"),
        (result(RIGHT, prompt={"raw": "[prompt stripped]"}), "was stripped"),
        (
            result(
                graded("javascript", "…"),
                vars={"answer": "At dusk."},
                response={"output": "[output stripped]"},
            ),
            "no assertion that failed holds an answer",
        ),
    ],
)
def test_a_promptfoo_result_that_gives_nothing_is_named(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    report = read_report(written(tmp_path, row))
    assert (report.failing, report.found) == (1, ())
    assert reason in report.unusable[0].reason


@pytest.mark.parametrize(
    "more",
    [
        {"failureReason": 2},
        {"response": {"error": "429"}},
        {"gradingResult": None, "error": "500", "response": {}},
        {
            "gradingResult": {
                "pass": False,
                "componentResults": [graded("javascript", "…", metadata={"graderError": True})],
            }
        },
        {
            "gradingResult": {
                "pass": False,
                "componentResults": [
                    {**graded("llm-rubric", "…"), "reason": "Could not extract JSON from it"}
                ],
            }
        },
    ],
)
def test_an_error_of_promptfoo_is_no_failure(tmp_path: Path, more: dict[str, Any]) -> None:
    report = read_report(written(tmp_path, {**result(), **WITH_EXPECTED, **more}))
    assert (report.failing, report.probes, report.found) == (0, 1, ())
    assert report.notes == ("1 of 1 got no answer or no verdict: no failure of the model",)


@pytest.mark.parametrize("name", ["Mine", "openai:chat:small", "small", "mine (openai:chat:small)"])
def test_a_provider_is_known_by_label_and_id(tmp_path: Path, name: str) -> None:
    other = result(graded("equals", "x"), provider="openai:chat:large")
    path = written(tmp_path, result(RIGHT), other)
    assert asked(read_report(path, choices=Choices(provider=name)))[0][1] == "At dusk."


PROMPTS_OF_CHATS: list[Any] = [
    [{"role": "developer", "content": "S"}, {"role": "user", "content": "Who?"}],
    [{"role": "user", "content": [{"type": "input_text", "text": "Who?"}]}],
    [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "It is"}],
    {"contents": [{"role": "user", "parts": [{"text": "Who?"}]}], "system_instruction": {}},
    {"system": "S", "messages": [{"role": "user", "content": "Who?"}]},
]


@pytest.mark.parametrize("prompt", PROMPTS_OF_CHATS)
def test_the_question_of_a_chat(tmp_path: Path, prompt: Any) -> None:
    for raw in (json.dumps(prompt), json.dumps(prompt, indent=2)):
        path = written(tmp_path, result(RIGHT, prompt={"raw": raw}))
        assert asked(read_report(path)) == [["Who?", "At dusk."]]


@pytest.mark.parametrize(
    "text",
    [
        "question,expected,[a:b] {{question}}\n"
        'Who?,Marit.,"[FAIL] (0.00)\n\nOlav.\n\nFail Reason: x"\n',
        '[a:b] {{question}},expected,question\n"[FAIL] (0.00) Olav.",Marit.,Who?\n',
        '"{""raw"":""{{question}}"",""display"":""d""}",question,expected\n'
        "[FAIL] Olav.,Who?,Marit.\n",
        '"[{""role"": ""system"", ""content"": ""S""}, {""role"": ""user"", ""content"": '
        '""{{q}}?""}]",q,expected\n[FAIL] x,Who,Marit.\n',
        "question;expected;[a:b] {{question}};Status;Score;Named Scores;Grader Reason;Comment\n"
        "Who?;Marit.;Olav.;FAIL;0,00;;no;\n",
    ],
)
def test_tables_of_promptfoo_as_its_versions_wrote_them(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.csv"
    path.write_text(text, "utf-8")
    assert asked(read_report(path)) == [["Who?", "Marit."]]


def test_the_table_of_the_web_page_of_promptfoo(tmp_path: Path) -> None:
    output = {**result(RIGHT), "pass": False, "text": "At noon."}
    table = {"head": {"vars": ["question"]}, "body": [{"vars": ["Who?"], "outputs": [output]}]}
    path = tmp_path / "table.json"
    path.write_text(json.dumps(table))
    assert asked(read_report(path)) == [["When is the gate shut?", "At dusk."]]


# lm-evaluation-harness


def sample(target: object, *requests: list[Any], **metrics: Any) -> dict[str, Any]:
    arguments = requests or (["Who?", {"until": []}],)
    return {"doc_id": 0, "doc": {"q": "Who?"}, "target": target, "arguments": arguments, **metrics}


@pytest.mark.parametrize(
    ("target", "reference"),
    [
        ("['Jo', 'J.']", "Jo"),
        ('["Ada\'s", "A"]', "Ada's"),
        ("('Jo', 'J.')", "Jo"),
        ("[('Jo',), ('J.',)]", "Jo"),
        ("{'text': ['Jo', 'J.'], 'answer_start': [3, 7]}", "Jo"),
        ("['Jo' 'J.']", "Jo"),
        ("<think>Hm.</think>\nJo", "Jo"),
        ("Jo<|im_end|>\n", "Jo"),
        ("(B)", "(B)"),
        (12, "12"),
    ],
)
def test_targets_that_are_written_out(tmp_path: Path, target: object, reference: str) -> None:
    report = read_report(written(tmp_path, sample(target, exact_match=0)))
    assert asked(report) == [["Who?", reference]]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (sample("0", inst_level_strict_acc=[False], prompt_level_strict_acc=False), "no answer"),
        (sample("assert f()", **{"pass@1": 0.0}), "no answer"),
        (sample("['assert f()']", pass_at_1=0), "no answer"),
        (sample("None", exact_match=0), "empty"),
        (sample("[]", exact_match=0), "empty"),
        (sample("x", ["<image> Who?", {}, {"visual": []}], exact_match=0), "more than text"),
        (sample("1", ["A", " x"], ["B", " x"], acc=0), "choices stand in the context"),
    ],
)
def test_samples_whose_target_is_no_answer(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    report = read_report(written(tmp_path, row))
    assert (report.failing, report.found) == (1, ())
    assert reason in report.unusable[0].reason


@pytest.mark.parametrize(
    "metrics",
    [
        {"word_perplexity": 0.3},
        {"word_perplexity,none": 0.3},
        {"pct_stereotype": 1},
        {"bleu": [["a"], ["b"]]},
        {"exact_match": None},
        {"llm_judge": 3},
    ],
)
def test_a_metric_that_tells_nothing_makes_no_failure(
    tmp_path: Path, metrics: dict[str, Any]
) -> None:
    report = read_report(written(tmp_path, sample("Jo", **metrics)))
    assert (report.failing, report.found) == (0, ())
    assert report.notes == ("1 of 1 got no answer or no verdict: no failure of the model",)


def test_full_marks_of_a_hundred_and_choices_in_their_order(tmp_path: Path) -> None:
    rows = [{**sample("Jo", exact_match=mark), "doc_id": mark} for mark in (0, 100)]
    assert read_report(written(tmp_path, *rows)).failing == 1
    choices = {f"gen_args_{at}": {"arg_0": "Who?", "arg_1": f" c{at}"} for at in range(12)}
    row = sample("10", acc=0) | {"arguments": dict(sorted(choices.items()))}
    assert asked(read_report(written(tmp_path, row))) == [["Who?", "c10"]]


# Tables


NEVER: list[dict[str, Any]] = [
    {"query": "Who?", "response": "Said.", "label": None, "history": []},
    {"query": "Who?", "response": "Said.", "label": ""},
    {"user_input": "Who?", "response": "Said."},
    {"messages": [{"role": "user", "content": "Who?"}], "response": "Said."},
    {"prompt": "Who?", "output": "Said.", "metadata": {"model": "m"}},
    {"prompt": "Who?", "response": "Said is it.", "target": 1},
    {"question": "Who?", "answer": "Said.", "gpt_4_response": "Said."},
    {"question": "Who?", "answer": "Said.", "failed": True},
    {"prompt": "Who?", "completions": ["a", "b"], "labels": [True, False]},
]


@pytest.mark.parametrize("row", NEVER)
def test_what_the_model_said_is_never_the_reference(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(DlmError, match="may be what the model said, since the file also has"):
        read_report(written(tmp_path, row))


def test_a_verdict_that_nobody_can_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"question": "Who?", "reference": "Jo.", "grade": "B"})
    with pytest.raises(DlmError, match="'grade' says 'B', neither pass nor fail"):
        read_report(path)
    odd = {"question": "Who?", "reference": "Jo.", "scores": {"match": {"value": "C"}}}
    with pytest.raises(DlmError, match="'scores' holds no number and no verdict"):
        read_report(written(tmp_path, odd, name="odd.jsonl"))
    assert read_report(path, choices=Choices(failed_when="grade!=A")).failing == 1


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({"correct": None}, "error"),
        ({"score": None}, "error"),
        ({"error": "429", "response": None}, "error"),
        ({"error": "429", "response": "", "correct": False}, "error"),
        ({"status": "success", "score": 0.0}, "fail"),
        ({"status": "timeout", "score": 0.0}, "error"),
        ({"evaluation": {"correct": True}}, "pass"),
        ({"failed": False}, "pass"),
        ({"judge_verdict": "PASS", "judge_note": "fine"}, "pass"),
        ({"is_correct": True, "form_correct": False, "unit_correct": True}, "pass"),
        ({"is_wrong": 1}, "fail"),
        ({"correctness": "incorrect"}, "fail"),
        ({"llm check": "PASS"}, "pass"),
        ({"outcome": "success"}, "pass"),
        ({"grade": "NOT_ATTEMPTED"}, "fail"),
        ({"score": "1,00"}, "pass"),
        ({"score": "0,25"}, "fail"),
        ({"predict": "Jo.<|im_end|>"}, "pass"),
    ],
)
def test_pass_fail_and_error(tmp_path: Path, columns: dict[str, Any], verdict: str) -> None:
    row = {"question": "Who?", "reference": "Jo.", **columns}
    report = read_report(written(tmp_path, row))
    told = [note for note in report.notes if "got no answer or no verdict" in note]
    assert (report.failing, bool(told)) == (verdict == "fail", verdict == "error")


def test_rows_that_follow_earlier_talk_are_named(tmp_path: Path) -> None:
    bare = "system\nS\nuser\nHi\nassistant\nHello\nuser\nWho?\nassistant\n"
    turns = [{"type": "human", "content": "a"}, {"type": "ai", "content": "b"}]
    rows: list[dict[str, Any]] = [
        {"prompt": bare, "predict": "x", "label": "Jo."},
        {"query": "Who?", "response": "x", "label": "Jo.", "history": [["a", "b"]]},
        {"user_input": [*turns, *turns], "reference": "Jo.", "goal_accuracy": 0},
        {"query": "Who?", "response": "x", "label": "Jo.", "images": ["a.png"]},
    ]
    for row in rows:
        report = read_report(written(tmp_path, row))
        assert report.found == ()
        assert "earlier talk" in (why := report.unusable[0].reason) or "more than text" in why


FRAMES: list[Any] = [
    {"question": ["Who?", "Why?"], "answer": ["x", "So."], "ground_truth": ["Jo.", "So."]},
    {
        "question": {"0": "Who?", "1": "Why?"},
        "answer": {"0": "x", "1": "So."},
        "ground_truth": {"0": "Jo.", "1": "So."},
    },
    {
        "columns": ["question", "answer", "ground_truth"],
        "data": [["Who?", "x", "Jo."], ["Why?", "So.", "So."]],
    },
]


@pytest.mark.parametrize("frame", FRAMES)
def test_tables_that_are_written_by_column(tmp_path: Path, frame: Any) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(frame))
    report = read_report(path)
    assert (report.probes, asked(report)) == (2, [["Who?", "Jo."]])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "1: this report is empty"),
        (b"\0" * 9, "1: this report is empty"),
        (b'{"results": [1,', "1: this is not JSON"),
        (b'[{"question": "a", "reference": "b"},\n', "2: this is not JSON: the list does not end"),
        (b'{"question": "a", "reference": "b"}\n3\n', "2: this line is not a JSON object"),
        (b"\x89PNG\r\n\x1a\n\0\0", "1: this report is no text: it is a picture"),
        (b"\x80\x04\x95", "1: this is not UTF-8 text"),
        (b"<html>, </html>", "1: this report is HTML or XML"),
        (b"42", "1: this is neither JSON nor a table"),
        (b"| question | reference |\n", "1: this is neither JSON nor a table"),
        (b"[]", "1: this report holds nothing"),
        (b"[[1]]", "1: this is no report of a known tool"),
        (b'{"chosen": "a", "rejected": "b", "prompt": "c"}', "1: no column for the reference"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(
    tmp_path: Path, data: bytes, says: str
) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(data)
    with pytest.raises(DlmError) as caught:
        read_report(path)
    assert str(caught.value).startswith(f"{path}:{says}")
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    with pytest.raises(DlmError, match="is a folder"):
        read_report(tmp_path)


@pytest.mark.parametrize("format", ["sway", "lm-eval", "promptfoo", "deepeval", "openai-evals"])
def test_a_format_that_a_file_is_not_in_is_refused(tmp_path: Path, format: str) -> None:
    path = written(tmp_path, {"question": "Who?", "reference": "Jo.", "correct": False})
    with pytest.raises(DlmError, match=f"{path.name}:1: "):
        read_report(path, format)


def damaged(value: Any, dice: random.Random) -> Any:
    """The value with keys lost and odd things in their place."""
    if isinstance(value, dict):
        value = {key: damaged(each, dice) for key, each in value.items() if dice.random() > 0.03}
    elif isinstance(value, list):
        value = [damaged(each, dice) for each in value]
    odd: list[Any] = [None, True, -1.5, "", "[1", [], {}, [None], {"a": None}, "\ud800", 10**400]
    return dice.choice(odd) if dice.random() < 0.04 else value


@pytest.mark.parametrize("seed", range(12))
def test_odd_values_are_read_or_refused_in_one_sentence(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    for path in sorted(CASES.glob("*/*.json*")):
        text = path.read_text("utf-8")
        whole = path.suffix == ".json" or text.startswith("[")
        values = [json.loads(part) for part in ([text] if whole else text.splitlines()) if part]
        found = written(tmp_path, *(damaged(each, dice) for each in values), name=path.name)
        try:
            report = read_report(found)
        except DlmError as error:
            says = str(error)
        else:
            says = f"{report.failing} of {report.probes} failed"
        assert "\n" not in says
