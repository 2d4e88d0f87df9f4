"""Reports of dlm-sway: `evidence.prompt` and `evidence.reference`, or what each kind writes.

Version 0.1.0 gives pairs outright for one kind only. Prompts that it cut, and sections and triples
that it only names, are left for the document and the suite file to complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dlm.loops.reports.prompts import number_of, numbers, text_of
from dlm.loops.reports.values import (
    Cut,
    Recovered,
    Report,
    Unusable,
    WeakSection,
    WeakTriples,
)
from dlm.loops.rows_file import RowsFile

_FAILED: Final = ("fail", "failed")
_BROKEN: Final = ("error", "errored")
_RECALL: Final = 0.5  # what the probe `leakage` allows, and the fragility it asks for
_FRAGILITY: Final = 0.3
_WHY_NOTHING: Final[Mapping[str, str]] = {
    "delta_kl": "it measures how far the answers moved, and has no reference answer",
    "adapter_ablation": "it measures the response to scaling the adapter, not an answer",
    "prompt_collapse": "it measures how the effect fades with context, not an answer",
    "cluster_kl": "it compares topics, and has no reference answer",
    "style_fingerprint": "it measures style, and has no reference answer",
    "external_perplexity": "it measures general text; rehearsal holds that, not more pairs",
    "null_adapter": "it is the calibration of the other probes",
}


@dataclass(slots=True)
class _Found:
    pairs: list[Recovered] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    sections: list[WeakSection] = field(default_factory=list)
    triples: list[WeakTriples] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(file: RowsFile) -> Report:
    """Everything a report says of its failing probes; raises DlmError where it is malformed."""
    data = file.whole
    probes = data.get("probes") if isinstance(data, dict) else None
    if not isinstance(probes, list):
        line = file.line_of("probes")
        raise file.error(line, "a dlm-sway report is an object with a list 'probes'")
    found = _Found()
    failing = broken = 0
    for index, probe in enumerate(probes):
        if not isinstance(probe, dict) or not isinstance(probe.get("evidence", {}), dict | None):
            what = f"probe {index + 1} is not an object with an object 'evidence'"
            raise file.error(file.line_of("probes", index), what)
        broken += _verdict(probe) in _BROKEN
        if _failed(probe):
            failing += 1
            _read_probe(probe, f"probe-{index + 1}", found)
    if broken:
        found.notes.append(
            f"{broken} of {len(probes)} probes could not run; nothing is known of them"
        )
    suite = text_of(data.get("spec_path"))
    version = text_of(data.get("sway_version"))
    return Report(
        tool=f"dlm-sway {version}" if version else "dlm-sway",
        probes=len(probes),
        failing=failing,
        pairs=tuple(found.pairs),
        cuts=tuple(found.cuts),
        sections=tuple(found.sections),
        triples=tuple(found.triples),
        unusable=tuple(found.unusable),
        suite=Path(suite) if suite else None,
        notes=tuple(found.notes),
    )


def _verdict(probe: Mapping[str, Any]) -> str:
    return str(probe.get("verdict") or probe.get("status") or "").strip().lower()


def _failed(probe: Mapping[str, Any]) -> bool:
    verdict = _verdict(probe)
    return verdict in _FAILED or (not verdict and probe.get("passed") is False)


def _read_probe(probe: Mapping[str, Any], default: str, found: _Found) -> None:
    kind = text_of(probe.get("kind")) or ""
    name = text_of(probe.get("name")) or kind or default
    evidence: dict[str, Any] = probe.get("evidence") or {}
    prompt, reference = text_of(evidence.get("prompt")), text_of(evidence.get("reference"))
    if prompt and reference:
        stated = [number_of(part.get("confidence")) for part in (evidence, probe)]
        confidence = next((value for value in stated if value is not None), 1.0)
        how = "prompt and reference of the evidence"
        scores = numbers(dict(probe), "score")
        found.pairs.append(Recovered(prompt, reference, name, how, confidence, scores))
        return
    reader = _READERS.get(kind)
    if reader is not None:
        before = _size(found)
        reader(name, kind, evidence, found)
        if _size(found) == before:
            found.unusable.append(Unusable(name, f"its {kind} evidence names nothing that failed"))
    elif prompt:
        found.unusable.append(Unusable(name, "its evidence has a prompt and no reference"))
    elif kind in _WHY_NOTHING:
        found.unusable.append(Unusable(name, f"{kind}: {_WHY_NOTHING[kind]}"))
    else:
        found.unusable.append(Unusable(name, "its evidence has no prompt with a reference"))


def _size(found: _Found) -> int:
    parts: tuple[Sequence[object], ...] = (
        found.pairs,
        found.cuts,
        found.sections,
        found.triples,
        found.unusable,
    )
    return sum(map(len, parts))


def _calibration_drift(name: str, kind: str, evidence: Mapping[str, Any], found: _Found) -> None:
    """The five items that lost most, whole; how many more there are is only counted."""
    worst = list(_objects(evidence.get("worst_offenders")))
    for item in worst:
        prompt, gold = text_of(item.get("prompt")), text_of(item.get("gold"))
        if prompt and gold:
            scores = numbers(item, "delta")
            found.pairs.append(Recovered(prompt, gold, name, "worst offender", scores=scores))
        else:
            found.unusable.append(Unusable(name, "a worst offender has no prompt or no gold"))
    regressed = number_of(evidence.get("regressed_count"))
    if regressed is not None and regressed > len(worst) > 0:
        more = f"{name}: {int(regressed)} items got worse, and the report names {len(worst)}"
        found.notes.append(more)
    if not worst:
        reason = "the mean over all items fell, and the report names no item that did"
        found.unusable.append(Unusable(name, reason))


def _paraphrases(name: str, kind: str, evidence: Mapping[str, Any], found: _Found) -> None:
    """Every case that is listed: the probe judges their mean, so none is the one that failed."""
    for item in _objects(evidence.get("per_case")):
        scores = numbers(item, "verbatim_lift", "paraphrase_lift")
        _cut(name, kind, "prompt", item, scores, found)


def _adapter_revert(name: str, kind: str, evidence: Mapping[str, Any], found: _Found) -> None:
    for item in _objects(evidence.get("per_case")):
        if item.get("reverted") is not False:
            scores = numbers(item, "cos_ft_base", "cos_ft_gold")
            _cut(name, kind, "paraphrases", item, scores, found)


def _cut(
    name: str,
    kind: str,
    part: str,
    item: Mapping[str, Any],
    scores: Mapping[str, float],
    found: _Found,
) -> None:
    prompt = item.get("prompt")
    if isinstance(prompt, str) and prompt.strip():
        found.cuts.append(Cut(prompt, name, kind, part, scores))
    else:
        found.unusable.append(Unusable(name, "a case has no prompt"))


def _sections(name: str, kind: str, evidence: Mapping[str, Any], found: _Found) -> None:
    for item in _objects(evidence.get("per_section")):
        if item.get("passed") is not True:
            scores = numbers(item, "effective_sis", "own_lift", "leak_lift")
            _weak(name, item, "its text was not taken up", scores, found)


def _leakage(name: str, kind: str, evidence: Mapping[str, Any], found: _Found) -> None:
    """The sections that are recited whole; all of them, where no single one passes the bounds."""
    listed = list(_objects(evidence.get("per_section")))
    for item in [item for item in listed if _leaks(item)] or listed:
        scores = numbers(item, "clean_recall", "perturbed_recall", "fragility")
        _weak(name, item, "its text is recited, not understood", scores, found)


def _leaks(item: Mapping[str, Any]) -> bool:
    if isinstance(item.get("passed"), bool):
        return not item["passed"]
    recall, fragility = number_of(item.get("clean_recall")), number_of(item.get("fragility"))
    return (recall or 0.0) >= _RECALL and (fragility or 0.0) < _FRAGILITY


def _weak(
    name: str, item: Mapping[str, Any], how: str, scores: Mapping[str, float], found: _Found
) -> None:
    section_id = text_of(item.get("section_id"))
    if section_id:
        found.sections.append(WeakSection(section_id, name, how, scores))
    else:
        found.unusable.append(Unusable(name, "a section has no section_id"))


def _preferences(name: str, kind: str, evidence: Mapping[str, Any], found: _Found) -> None:
    wrong, flipped = number_of(evidence.get("base_wrong")), number_of(evidence.get("flipped"))
    unflipped = None if wrong is None or flipped is None else int(wrong - flipped)
    found.triples.append(WeakTriples(name, kind, unflipped))


def _objects(value: object) -> Iterable[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_Reader = Callable[[str, str, Mapping[str, Any], _Found], None]
_READERS: Final[Mapping[str, _Reader]] = {
    "calibration_drift": _calibration_drift,
    "paraphrase_invariance": _paraphrases,
    "adapter_revert": _adapter_revert,
    "section_internalization": _sections,
    "leakage": _leakage,
    "preference_flip": _preferences,
}
