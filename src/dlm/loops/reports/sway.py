"""Reports of dlm-sway: `evidence.prompt` and `evidence.reference`, or what each kind writes.

Version 0.1.0 gives pairs outright for one kind only. Prompts that it cut, and sections and triples
that it only names, are completed from the suite file that it names, then from the document. What
fits more than one pair is not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.sections import PairRole, Section, SectionType
from dlm.loops.edits import NewPair, NewTriple
from dlm.loops.proposals import Proposal, Unused
from dlm.loops.reports.values import Choices, Report, number_of, numbers, objects_of, text_of
from dlm.sources.rows_file import RowsFile

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
_CUT_AT: Final = 80
_LARGEST_SUITE: Final = 16 * 2**20  # bytes
# How `sway autogen` asks a question of the document in other words.
_REWORDED: Final = ("Could you explain: {}?", "I'd like to know — {}.", "Please describe: {}.")

_Part = Proposal | Unused | str  # a text is worth saying
_Case = tuple[str, str, str]  # prompt, reference, and the question that the prompt rewords


def is_it(file: RowsFile) -> bool:
    """Whether a file is an object with probes."""
    return isinstance(file.whole, dict) and "probes" in file.whole


def read(file: RowsFile, choices: Choices) -> Report:
    """Everything a report says of its failing probes; raises DlmError where it is malformed."""
    data = file.whole
    probes = data.get("probes") if isinstance(data, dict) else None
    if not isinstance(probes, list):
        line = file.line_of("probes")
        raise file.error(line, "a dlm-sway report is an object with a list 'probes'")
    known = _Known(choices.document, text_of(data.get("spec_path")), file.path.parent)
    parts: list[_Part] = []
    failing = broken = 0
    for index, probe in enumerate(probes):
        if not isinstance(probe, dict) or not isinstance(probe.get("evidence", {}), dict | None):
            what = f"probe {index + 1} is not an object with an object 'evidence'"
            raise file.error(file.line_of("probes", index), what)
        broken += _verdict(probe) in _BROKEN
        if _failed(probe):
            failing += 1
            parts += _parts(probe, f"probe-{index + 1}", known)
    if broken:
        parts.append(f"{broken} of {len(probes)} probes could not run; nothing is known of them")
    version = text_of(data.get("sway_version"))
    return Report(
        f"dlm-sway {version}" if version else "dlm-sway",
        len(probes),
        failing,
        tuple(part for part in parts if isinstance(part, Proposal)),
        tuple(part for part in parts if isinstance(part, Unused)),
        (*(part for part in parts if isinstance(part, str)), *known.notes),
    )


@dataclass(frozen=True, slots=True)
class _Probe:
    """A probe that failed."""

    name: str
    kind: str
    evidence: Mapping[str, Any]


class _Known:
    """What a report only names: the document, and the cases of the suite file."""

    def __init__(self, document: Document | None, suite: str | None, near: Path) -> None:
        """The suite lies where it is named, else near the report or the document."""
        self.sections = document.sections if document else ()
        self.notes: list[str] = []
        folders = [near, *([document.path.parent] if document and document.path else [])]
        named = Path(suite) if suite else None
        self._suite = suite
        self._places = (
            [named, *(folder / part for folder in folders for part in (named, named.name))]
            if named
            else []
        )

    def entries(self, probe: _Probe) -> list[dict[str, Any]]:
        """The entries of the suite that a probe was made from, or may have been."""
        entries = [entry for entry in self._entries if entry.get("kind") == probe.kind]
        return [entry for entry in entries if entry.get("name") == probe.name] or entries

    def cases(self, *, reworded: bool = False) -> Iterator[_Case]:
        """The pairs of the document that may train, also as the suite generator rewords them."""
        for pair in (pair for section in self.sections for pair in section.pairs):
            if pair.role is PairRole.EXAM:
                continue
            yield pair.question, pair.answer, pair.question
            for template in _REWORDED if reworded else ():
                yield template.format(pair.question.rstrip("?. ")), pair.answer, pair.question

    @cached_property
    def _entries(self) -> list[dict[str, Any]]:
        """All entries of the suite; a note says why there are none."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        alone = "the document alone completes prompts"
        path = next((place for place in self._places if place.is_file()), None)
        if path is None:
            if self._suite:
                self.notes.append(f"the suite {self._suite} is not there: {alone}")
            return []
        try:
            if path.stat().st_size > _LARGEST_SUITE:
                raise ValueError("it is too large to be one")
            data = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, YAMLError, RecursionError, ValueError) as error:
            reason = str(error).strip().split("\n", 1)[0]
            self.notes.append(f"the suite {path} cannot be read ({reason}): {alone}")
            return []
        entries = data.get("suite") if isinstance(data, dict) else None
        if not isinstance(entries, list):
            self.notes.append(f"{path} is not a suite of dlm-sway: {alone}")
        return objects_of(entries)


def _verdict(probe: Mapping[str, Any]) -> str:
    return str(probe.get("verdict") or probe.get("status") or "").strip().lower()


def _failed(probe: Mapping[str, Any]) -> bool:
    verdict = _verdict(probe)
    return verdict in _FAILED or (not verdict and probe.get("passed") is False)


def _parts(probe: Mapping[str, Any], default: str, known: _Known) -> Iterator[_Part]:
    """What a failing probe gives, or why it gives nothing."""
    kind = text_of(probe.get("kind")) or ""
    name = text_of(probe.get("name")) or kind or default
    evidence: dict[str, Any] = probe.get("evidence") or {}
    prompt, reference = text_of(evidence.get("prompt")), text_of(evidence.get("reference"))
    if prompt and reference:
        stated = [number_of(part.get("confidence")) for part in (evidence, probe)]
        confidence = next((value for value in stated if value is not None), 1.0)
        how = "prompt and reference of the evidence"
        scores = numbers(probe, "score")
        yield Proposal(NewPair(prompt, reference), name, how, confidence, scores)
    elif kind in _READERS:
        found = list(_READERS[kind](_Probe(name, kind, evidence), known))
        yield from found or [Unused(name, f"its {kind} evidence names nothing that failed")]
    elif prompt:
        yield Unused(name, "its evidence has a prompt and no reference")
    elif kind in _WHY_NOTHING:
        yield Unused(name, f"{kind}: {_WHY_NOTHING[kind]}")
    else:
        yield Unused(name, "its evidence has no prompt with a reference")


def _calibration_drift(probe: _Probe, known: _Known) -> Iterator[_Part]:
    """The five items that lost most, whole; how many more there are is only counted."""
    worst = objects_of(probe.evidence.get("worst_offenders"))
    for item in worst:
        prompt, gold = text_of(item.get("prompt")), text_of(item.get("gold"))
        if prompt and gold:
            scores = numbers(item, "delta")
            yield Proposal(NewPair(prompt, gold), probe.name, "worst offender", scores=scores)
        else:
            yield Unused(probe.name, "a worst offender has no prompt or no gold")
    regressed = number_of(probe.evidence.get("regressed_count"))
    if regressed is not None and regressed > len(worst) > 0:
        yield f"{probe.name}: {int(regressed)} items got worse, and the report names {len(worst)}"
    if not worst:
        reason = "the mean over all items fell, and the report names no item that did"
        yield Unused(probe.name, reason)


def _paraphrases(probe: _Probe, known: _Known) -> Iterator[_Part]:
    """Every case that is listed: the probe judges their mean, so none is the one that failed."""
    cases = objects_of(probe.evidence.get("per_case"))
    return _completed(probe, known, cases, "prompt", "verbatim_lift", "paraphrase_lift")


def _adapter_revert(probe: _Probe, known: _Known) -> Iterator[_Part]:
    cases = objects_of(probe.evidence.get("per_case"))
    cases = [item for item in cases if item.get("reverted") is not False]
    return _completed(probe, known, cases, "paraphrases", "cos_ft_base", "cos_ft_gold")


def _completed(
    probe: _Probe, known: _Known, cases: Sequence[Mapping[str, Any]], part: str, *scored: str
) -> Iterator[_Part]:
    """Every prompt, of which the report holds 80 characters and no reference, with what it was.

    `part` is what it was cut from in a case of the suite: its prompt or one of its paraphrases.
    Those that look the same are completed together.
    """
    alike: Counter[str] = Counter()
    first: dict[str, Mapping[str, Any]] = {}
    for case in cases:
        cut = case.get("prompt")
        if isinstance(cut, str) and cut.strip():
            alike[cut] += 1
            first.setdefault(cut, case)
        else:
            yield Unused(probe.name, "a case has no prompt")
    asked = {question for question, _, _ in known.cases()}
    for cut, case in first.items():
        found, where = _candidates(probe, known, cut, part)
        begins = f"the prompt that begins {' '.join(cut.split())[:50]!r}"
        if not found:
            yield Unused(probe.name, f"{begins} is neither in the document nor in the suite")
        elif len(found) > alike[cut]:
            yield Unused(probe.name, f"{begins} may be any of {len(found)} in {where}")
        else:
            for prompt, reference, question in found:
                yield Proposal(
                    NewPair(prompt, reference),
                    probe.name,
                    f"prompt completed from {where}",
                    scores=numbers(case, *scored),
                    own=prompt in asked,
                    rewords=question,
                )


def _candidates(probe: _Probe, known: _Known, cut: str, part: str) -> tuple[list[_Case], str]:
    """The distinct pairs that a cut prompt may be, and where they stand."""
    for place, cases in (
        ("the suite", [case for entry in known.entries(probe) for case in _cases(entry, part)]),
        ("the document", list(known.cases(reworded=part != "prompt"))),
    ):
        found = {case[:2]: case for case in cases if _fits(case[0], cut)}
        if found:
            return list(found.values()), place
    return [], ""


def _fits(whole: str, cut: str) -> bool:
    return whole[:_CUT_AT] == cut or (len(cut) < _CUT_AT and whole.strip() == cut.strip())


def _cases(entry: Mapping[str, Any], part: str) -> Iterator[_Case]:
    for case in objects_of(entry.get("cases")):
        if not isinstance(gold := case.get("gold"), str):
            continue
        value, question = case.get(part), case.get("prompt")
        for prompt in value if isinstance(value, list) else [value]:
            if isinstance(prompt, str) and prompt.strip() and gold.strip():
                yield prompt, gold.strip(), question if isinstance(question, str) else prompt


def _sections(probe: _Probe, known: _Known) -> Iterator[_Part]:
    for item in objects_of(probe.evidence.get("per_section")):
        if item.get("passed") is not True:
            scores = numbers(item, "effective_sis", "own_lift", "leak_lift")
            yield from _weak(probe, known, item, "its text was not taken up", scores)


def _leakage(probe: _Probe, known: _Known) -> Iterator[_Part]:
    """The sections that are recited whole; all of them, where no single one passes the bounds."""
    listed = objects_of(probe.evidence.get("per_section"))
    for item in [item for item in listed if _leaks(item)] or listed:
        scores = numbers(item, "clean_recall", "perturbed_recall", "fragility")
        yield from _weak(probe, known, item, "its text is recited, not understood", scores)


def _leaks(item: Mapping[str, Any]) -> bool:
    if isinstance(item.get("passed"), bool):
        return not item["passed"]
    recall, fragility = number_of(item.get("clean_recall")), number_of(item.get("fragility"))
    return (recall or 0.0) >= _RECALL and (fragility or 0.0) < _FRAGILITY


def _weak(
    probe: _Probe, known: _Known, item: Mapping[str, Any], how: str, scores: Mapping[str, float]
) -> Iterator[_Part]:
    """The pairs of a section, those that machines made from it, and its triples."""
    section_id = text_of(item.get("section_id"))
    section = next((each for each in known.sections if each.section_id == section_id), None)
    if section is None:
        gone = f"section {section_id} is not in the document; it was changed since"
        yield Unused(probe.name, gone if section_id else "a section has no section_id")
        return
    pairs = [
        NewPair(one.question, one.answer)
        for each in known.sections
        if each is section or (each.provenance and each.provenance.derived_from == section_id)
        for one in each.pairs
        if one.role is not PairRole.EXAM
    ]
    where = f"of section {section_id}: {how}"
    for pair in pairs:
        yield Proposal(pair, probe.name, f"pair {where}", scores=scores, own=True)
    for triple in _triples_of(section):
        yield Proposal(triple, probe.name, f"triple {where}", own=True)
    if not (pairs or section.triples):
        prose = section.type is SectionType.PROSE
        more = "; `dlm synth instructions` writes some" if prose else " that train"
        reason = f"section {section_id} at line {section.line} has no pairs{more}"
        yield Unused(probe.name, reason)


def _preferences(probe: _Probe, known: _Known) -> Iterator[_Part]:
    """The triples of a probe: those of its suite entry, else those of the document."""
    inline = [each for entry in known.entries(probe) for each in objects_of(entry.get("triples"))]
    found: list[tuple[NewTriple, str]] = []
    for triple in inline:
        texts = [text_of(triple.get(key)) for key in ("prompt", "chosen", "rejected")]
        if all(texts):
            found.append((NewTriple(*map(str, texts)), "triple of the suite"))
    if not inline:
        for section in known.sections:
            how = f"triple of section {section.section_id}"
            found += [(triple, how) for triple in _triples_of(section)]
    for content, how in found:
        yield Proposal(content, probe.name, how, own=True)
    if not found:
        yield Unused(probe.name, "neither the suite nor the document holds its triples")


def _triples_of(section: Section) -> list[NewTriple]:
    return [NewTriple(each.prompt, each.chosen, each.rejected) for each in section.triples]


_READERS: Final[Mapping[str, Callable[[_Probe, _Known], Iterator[_Part]]]] = {
    "calibration_drift": _calibration_drift,
    "paraphrase_invariance": _paraphrases,
    "adapter_revert": _adapter_revert,
    "section_internalization": _sections,
    "leakage": _leakage,
    "preference_flip": _preferences,
}
