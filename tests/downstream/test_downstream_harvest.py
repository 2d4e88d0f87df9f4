"""The loop with the installed dlm-sway: what its suite finds wrong is right after a harvest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dlm.doc.parser import parse_file

ORCHARD = Path(__file__).parent.parent / "cases" / "reports" / "orchard.dlm"
ASKED = (
    ("What is the name of the dog that sleeps in the press house at Windle Hill?", "Bramble."),
    ("What stands by the gate?", "One old quince."),
    ("Which varieties of apple does the orchard sell at the Saturday market?", "Only russets."),
)


def run(folder: Path, *command: str) -> str:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [program, *command[1:]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def suite(folder: Path) -> dict[str, Any]:
    """What `sway autogen` writes, without what takes long, and with three questions of our own."""
    run(folder, "sway", "autogen", "notes.dlm", "-o", "sway.yaml")
    spec: dict[str, Any] = YAML(typ="safe").load((folder / "sway.yaml").read_text("utf-8"))
    kinds = ("section_internalization", "paraphrase_invariance", "calibration_drift")
    spec["suite"] = [entry for entry in spec["suite"] if entry["kind"] in kinds]
    for entry in spec["suite"]:
        if entry["kind"] == "calibration_drift":
            entry["items_limit"] = 30
    cases = [
        {"prompt": question, "gold": answer, "paraphrases": [f"Please say: {question}"]}
        for question, answer in ASKED
    ]
    own = {"name": "visitors", "kind": "paraphrase_invariance", "min_verbatim_lift": 4.0}
    spec["suite"].append({**own, "cases": cases})
    return spec


def evaluate(folder: Path, spec: dict[str, Any], name: str) -> dict[str, Any]:
    (folder / "suite.yaml").write_text(json.dumps(spec), "utf-8")  # JSON is YAML
    run(folder, "sway", "run", "suite.yaml", "--json", name)
    report: dict[str, Any] = json.loads((folder / name).read_text("utf-8"))
    return report


def passed(report: dict[str, Any]) -> set[str]:
    return {probe["name"] for probe in report["probes"] if probe["verdict"] == "pass"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_more_probes_pass_after_a_harvest_and_the_composite_does_not_fall(tmp_path: Path) -> None:
    notes = tmp_path / "notes.dlm"
    notes.write_bytes(ORCHARD.read_bytes())
    run(tmp_path, "dlm", "train", "notes.dlm")
    spec = suite(tmp_path)
    before = evaluate(tmp_path, spec, "before.json")
    assert "visitors" not in passed(before)

    run(tmp_path, "dlm", "harvest", "notes.dlm", "--sway-json", "before.json", "--apply")
    harvested = {
        (pair.question, pair.answer)
        for section, pair in parse_file(notes).pairs()
        if section.harvest_source == "auto-harvest/visitors"
    }
    assert harvested == set(ASKED)

    run(tmp_path, "dlm", "train", "notes.dlm")
    spec["models"] = suite(tmp_path)["models"]  # the new version; the same questions
    after = evaluate(tmp_path, spec, "after.json")
    # Sections are measured against each other there, so their number alone can fail that probe.
    assert "visitors" in passed(after)
    assert len(passed(after)) > len(passed(before))
    assert after["score"]["overall"] >= before["score"]["overall"]
