"""How a base learns a document of invented facts: trained as its owner would, then asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from dlm.doc.parser import parse_file
from dlm.engine.answer import Sampling
from dlm.engine.asking import open_asking
from dlm.errors import TrainingError
from dlm.eval.answers import has_key


def learning(base: str, document: Path, rate: float | None = None) -> dict[str, Any]:
    """Right answers by kind of question as "right/asked", drift, seconds and megabytes.

    The questions lie beside the document, in NAME.eval.jsonl. Trains in an empty DLM_HOME, at the
    learning rate of the base or at `rate`.
    """
    lines = document.with_suffix(".eval.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line) for line in lines if line.strip()]
    before = os.environ.get("DLM_HOME")
    with tempfile.TemporaryDirectory() as home:
        os.environ["DLM_HOME"] = home
        try:
            copy = Path(home) / document.name
            copy.write_text(on_base(document.read_text("utf-8"), base, rate), "utf-8")
            report, megabytes = _trained(copy)
            right, asked = _asked(copy, questions)
        finally:
            _restore(before)
    return {
        **{kind: f"{right[kind]}/{asked[kind]}" for kind in asked},
        "drift": report["drift"],
        "seconds": report["seconds"],
        "seconds_per_step": report["seconds"] / max(1, report["steps"]),
        "megabytes": megabytes,
    }


def on_base(text: str, base: str, rate: float | None = None) -> str:
    """A document without training settings, on another base and at another learning rate."""
    line = f"base_model: {base}"
    if rate is not None:
        line += f"\ntraining:\n  learning_rate: {rate}"
    return re.sub(r"(?m)^base_model:.*$", lambda _: line, text, count=1)


def _trained(document: Path) -> tuple[dict[str, Any], float]:
    command = [sys.executable, "-m", "dlm.cli.app", "train", str(document), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        # Waited for by hand: this tells the memory of this one process.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise TrainingError(f"dlm train failed on {document.name}", hint="its message stands above")
    report: dict[str, Any] = json.loads(said)
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return report, used.ru_maxrss / unit


def _asked(document: Path, questions: list[dict[str, Any]]) -> tuple[Counter[str], Counter[str]]:
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    asking = open_asking(parse_file(document), version=None, base_only=False)
    for question in questions:
        said: list[Any] = [{"role": "user", "content": question["question"]}]
        answer = asking.answerer.answer(said, Sampling(max_tokens=64)).text
        kind = str(question["kind"])
        asked[kind] += 1
        right[kind] += has_key(answer, question["key"])
    return right, asked


def _restore(home: str | None) -> None:
    if home is None:
        os.environ.pop("DLM_HOME", None)
    else:
        os.environ["DLM_HOME"] = home
