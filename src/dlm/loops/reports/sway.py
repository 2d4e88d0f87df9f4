"""Reports of dlm-sway: `evidence.prompt` and `evidence.reference`, or what each kind writes.

Version 0.1.0 gives pairs outright for one kind only. Prompts that it cut, and sections and triples
that it only names, are completed from the suite file that it names, then from the document. What
fits more than one pair is not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from dlm.doc.document import Document
from dlm.doc.sections import Pair, PairRole, Section, SectionType
from dlm.loops.reports.values import (
    Cut,
    Preferred,
    Recovered,
    Report,
    Unusable,
    WeakSection,
    WeakTriples,
    number_of,
    numbers,
    objects_of,
    text_of,
)
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

_Part = Recovered | Cut | WeakSection | WeakTriples | Unusable | str  # a text is worth saying
_P = TypeVar("_P", Recovered, Cut, WeakSection, WeakTriples, Unusable, str)
_Case = tuple[str, str, str]  # prompt, reference, and the question that the prompt rewords


def read(file: RowsFile) -> Report:
    """Everything a report says of its failing probes; raises DlmError where it is malformed."""
    data = file.whole
    probes = data.get("probes") if isinstance(data, dict) else None
    if not isinstance(probes, list):
        line = file.line_of("probes")
        raise file.error(line, "a dlm-sway report is an object with a list 'probes'")
    parts: list[_Part] = []
    failing = broken = 0
    for index, probe in enumerate(probes):
        if not isinstance(probe, dict) or not isinstance(probe.get("evidence", {}), dict | None):
            what = f"probe {index + 1} is not an object with an object 'evidence'"
            raise file.error(file.line_of("probes", index), what)
        broken += _verdict(probe) in _BROKEN
        if _failed(probe):
            failing += 1
            parts += _parts(probe, f"probe-{index + 1}")
    if broken:
        parts.append(f"{broken} of {len(probes)} probes could not run; nothing is known of them")
    suite = text_of(data.get("spec_path"))
    version = text_of(data.get("sway_version"))
    return Report(
        f"dlm-sway {version}" if version else "dlm-sway",
        len(probes),
        failing,
        pairs=_of(Recovered, parts),
        cuts=_of(Cut, parts),
        sections=_of(WeakSection, parts),
        triples=_of(WeakTriples, parts),
        unusable=_of(Unusable, parts),
        suite=Path(suite) if suite else None,
        notes=_of(str, parts),
    )


def _of(kind: type[_P], parts: Sequence[_Part]) -> tuple[_P, ...]:
    return tuple(part for part in parts if isinstance(part, kind))


def _verdict(probe: Mapping[str, Any]) -> str:
    return str(probe.get("verdict") or probe.get("status") or "").strip().lower()


def _failed(probe: Mapping[str, Any]) -> bool:
    verdict = _verdict(probe)
    return verdict in _FAILED or (not verdict and probe.get("passed") is False)


def _parts(probe: Mapping[str, Any], default: str) -> Iterator[_Part]:
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
        yield Recovered(prompt, reference, name, how, confidence, scores)
    elif kind in _READERS:
        found = list(_READERS[kind](name, kind, evidence))
        yield from found or [Unusable(name, f"its {kind} evidence names nothing that failed")]
    elif prompt:
        yield Unusable(name, "its evidence has a prompt and no reference")
    elif kind in _WHY_NOTHING:
        yield Unusable(name, f"{kind}: {_WHY_NOTHING[kind]}")
    else:
        yield Unusable(name, "its evidence has no prompt with a reference")


def _calibration_drift(name: str, kind: str, evidence: Mapping[str, Any]) -> Iterator[_Part]:
    """The five items that lost most, whole; how many more there are is only counted."""
    worst = objects_of(evidence.get("worst_offenders"))
    for item in worst:
        prompt, gold = text_of(item.get("prompt")), text_of(item.get("gold"))
        if prompt and gold:
            scores = numbers(item, "delta")
            yield Recovered(prompt, gold, name, "worst offender", scores=scores)
        else:
            yield Unusable(name, "a worst offender has no prompt or no gold")
    regressed = number_of(evidence.get("regressed_count"))
    if regressed is not None and regressed > len(worst) > 0:
        yield f"{name}: {int(regressed)} items got worse, and the report names {len(worst)}"
    if not worst:
        reason = "the mean over all items fell, and the report names no item that did"
        yield Unusable(name, reason)


def _paraphrases(name: str, kind: str, evidence: Mapping[str, Any]) -> Iterator[_Part]:
    """Every case that is listed: the probe judges their mean, so none is the one that failed."""
    for item in objects_of(evidence.get("per_case")):
        scores = numbers(item, "verbatim_lift", "paraphrase_lift")
        yield _cut(name, kind, "prompt", item, scores)


def _adapter_revert(name: str, kind: str, evidence: Mapping[str, Any]) -> Iterator[_Part]:
    for item in objects_of(evidence.get("per_case")):
        if item.get("reverted") is not False:
            scores = numbers(item, "cos_ft_base", "cos_ft_gold")
            yield _cut(name, kind, "paraphrases", item, scores)


def _cut(
    name: str, kind: str, part: str, item: Mapping[str, Any], scores: Mapping[str, float]
) -> Cut | Unusable:
    prompt = item.get("prompt")
    if isinstance(prompt, str) and prompt.strip():
        return Cut(prompt, name, kind, part, scores)
    return Unusable(name, "a case has no prompt")


def _sections(name: str, kind: str, evidence: Mapping[str, Any]) -> Iterator[_Part]:
    for item in objects_of(evidence.get("per_section")):
        if item.get("passed") is not True:
            scores = numbers(item, "effective_sis", "own_lift", "leak_lift")
            yield _weak(name, item, "its text was not taken up", scores)


def _leakage(name: str, kind: str, evidence: Mapping[str, Any]) -> Iterator[_Part]:
    """The sections that are recited whole; all of them, where no single one passes the bounds."""
    listed = objects_of(evidence.get("per_section"))
    for item in [item for item in listed if _leaks(item)] or listed:
        scores = numbers(item, "clean_recall", "perturbed_recall", "fragility")
        yield _weak(name, item, "its text is recited, not understood", scores)


def _leaks(item: Mapping[str, Any]) -> bool:
    if isinstance(item.get("passed"), bool):
        return not item["passed"]
    recall, fragility = number_of(item.get("clean_recall")), number_of(item.get("fragility"))
    return (recall or 0.0) >= _RECALL and (fragility or 0.0) < _FRAGILITY


def _weak(
    name: str, item: Mapping[str, Any], how: str, scores: Mapping[str, float]
) -> WeakSection | Unusable:
    section_id = text_of(item.get("section_id"))
    if section_id:
        return WeakSection(section_id, name, how, scores)
    return Unusable(name, "a section has no section_id")


def _preferences(name: str, kind: str, evidence: Mapping[str, Any]) -> Iterator[_Part]:
    wrong, flipped = number_of(evidence.get("base_wrong")), number_of(evidence.get("flipped"))
    yield WeakTriples(
        name, kind, None if wrong is None or flipped is None else int(wrong - flipped)
    )


_Reader = Callable[[str, str, Mapping[str, Any]], Iterator[_Part]]
_READERS: Final[Mapping[str, _Reader]] = {
    "calibration_drift": _calibration_drift,
    "paraphrase_invariance": _paraphrases,
    "adapter_revert": _adapter_revert,
    "section_internalization": _sections,
    "leakage": _leakage,
    "preference_flip": _preferences,
}


# What the report leaves open


@dataclass(frozen=True, slots=True)
class Recovery:
    """All pairs and triples that a report gives once completed, and what it does not."""

    pairs: tuple[Recovered, ...]
    triples: tuple[Preferred, ...]
    unusable: tuple[Unusable, ...]
    notes: tuple[str, ...] = ()


def complete(report: Report, document: Document, near: Path) -> Recovery:
    """The report with its gaps filled from the document and the suite; `near` is its folder."""
    notes = list(report.notes)
    suite: list[Mapping[str, Any]] = []
    if report.suite and (report.cuts or report.triples):
        suite, why = _read_suite(report.suite, near, document)
        if why:
            notes.append(why)
    pairs, unusable = list(report.pairs), list(report.unusable)
    triples: list[Preferred] = []
    for result in (
        *_completed(report.cuts, suite, document),
        *(one for weak in report.sections for one in _of_section(weak, document)),
    ):
        (pairs if isinstance(result, Recovered) else unusable).append(result)  # type: ignore[arg-type]
    for weak in report.triples:
        found = list(_triples(weak.probe, weak.kind, suite, document))
        triples += found
        if not found:
            reason = "neither the suite nor the document holds its triples"
            unusable.append(Unusable(weak.probe, reason))
    triples += [one for weak in report.sections for one in _preferred(weak, document)]
    return Recovery(tuple(pairs), tuple(triples), tuple(unusable), tuple(notes))


def _read_suite(
    named: Path, near: Path, document: Document
) -> tuple[list[Mapping[str, Any]], str | None]:
    """The entries of the suite file, and why there are none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    folders = [near, *([document.path.parent] if document.path else [])]
    places = [named, *(folder / part for folder in folders for part in (named, named.name))]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return [], f"the suite {named} is not there: prompts are completed from the document alone"
    try:
        if path.stat().st_size > _LARGEST_SUITE:
            return [], f"the suite {path} is too large to be one"
        data = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError, RecursionError, ValueError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        return (
            [],
            f"the suite {path} cannot be read ({reason}): the document alone completes prompts",
        )
    entries = data.get("suite") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return [], f"{path} is not a suite of dlm-sway: the document alone completes prompts"
    return [entry for entry in entries if isinstance(entry, dict)], None


def _completed(
    cuts: Sequence[Cut], suite: Sequence[Mapping[str, Any]], document: Document
) -> Iterator[Recovered | Unusable]:
    """Every cut prompt with what it was; those that look the same are completed together."""
    alike = Counter((cut.probe, cut.part, cut.prompt) for cut in cuts)
    done: set[tuple[str, str, str]] = set()
    for cut in cuts:
        key = (cut.probe, cut.part, cut.prompt)
        if key in done:
            continue
        done.add(key)
        found, where = _candidates(cut, suite, document)
        begins = f"the prompt that begins {' '.join(cut.prompt.split())[:50]!r}"
        if not found:
            yield Unusable(cut.probe, f"{begins} is neither in the document nor in the suite")
        elif len(found) > alike[key]:
            yield Unusable(cut.probe, f"{begins} may be any of {len(found)} in {where}")
        else:
            asked = {question for question, _, _ in _document_cases(document)}
            for prompt, reference, question in found:
                yield Recovered(
                    prompt,
                    reference,
                    cut.probe,
                    f"prompt completed from {where}",
                    scores=cut.scores,
                    own=prompt in asked,
                    rewords=question,
                )


def _candidates(
    cut: Cut, suite: Sequence[Mapping[str, Any]], document: Document
) -> tuple[list[_Case], str]:
    """The distinct pairs that a cut prompt may be, and where they stand."""
    entries = [entry for entry in suite if entry.get("kind") == cut.kind]
    named = [entry for entry in entries if entry.get("name") == cut.probe]
    for place, cases in (
        ("the suite", [case for entry in named or entries for case in _suite_cases(entry, cut)]),
        ("the document", list(_document_cases(document, reworded=cut.part != "prompt"))),
    ):
        found = {case[:2]: case for case in cases if _fits(case[0], cut.prompt)}
        if found:
            return list(found.values()), place
    return [], ""


def _fits(whole: str, cut: str) -> bool:
    return whole[:_CUT_AT] == cut or (len(cut) < _CUT_AT and whole.strip() == cut.strip())


def _suite_cases(entry: Mapping[str, Any], cut: Cut) -> Iterator[_Case]:
    for case in objects_of(entry.get("cases")):
        if not isinstance(gold := case.get("gold"), str):
            continue
        value, question = case.get(cut.part), case.get("prompt")
        for prompt in value if isinstance(value, list) else [value]:
            if isinstance(prompt, str) and prompt.strip() and gold.strip():
                yield prompt, gold.strip(), question if isinstance(question, str) else prompt


def _document_cases(document: Document, *, reworded: bool = False) -> Iterator[_Case]:
    """The pairs of the document that may be trained, also as the suite generator rewords them."""
    for _, pair in document.pairs():
        if pair.role is PairRole.EXAM:
            continue
        yield pair.question, pair.answer, pair.question
        for template in _REWORDED if reworded else ():
            yield template.format(pair.question.rstrip("?. ")), pair.answer, pair.question


def _of_section(weak: WeakSection, document: Document) -> Iterator[Recovered | Unusable]:
    """The pairs of a section, and of those that machines made from it."""
    section = next((s for s in document.sections if s.section_id == weak.section_id), None)
    if section is None:
        reason = f"section {weak.section_id} is not in the document; it was changed since"
        yield Unusable(weak.probe, reason)
        return
    pairs = list(_pairs_from(section, document))
    if not pairs and not section.triples:
        reason = (
            f"section {weak.section_id} at line {section.line} has no pairs; "
            "`dlm synth instructions` writes some"
            if section.type is SectionType.PROSE
            else f"section {weak.section_id} at line {section.line} has no pairs that train"
        )
        yield Unusable(weak.probe, reason)
    for pair in pairs:
        yield Recovered(
            pair.question,
            pair.answer,
            weak.probe,
            f"pair of section {weak.section_id}: {weak.how}",
            scores=weak.scores,
            own=True,
        )


def _pairs_from(section: Section, document: Document) -> Iterator[Pair]:
    for each in document.sections:
        origin = each.provenance.derived_from if each.provenance else None
        if each is section or origin == section.section_id:
            yield from (pair for pair in each.pairs if pair.role is not PairRole.EXAM)


def _preferred(weak: WeakSection, document: Document) -> Iterator[Preferred]:
    section = next((s for s in document.sections if s.section_id == weak.section_id), None)
    for triple in section.triples if section else ():
        how = f"triple of section {weak.section_id}: {weak.how}"
        yield Preferred(triple.prompt, triple.chosen, triple.rejected, weak.probe, how)


def _triples(
    probe: str, kind: str, suite: Sequence[Mapping[str, Any]], document: Document
) -> Iterator[Preferred]:
    """The triples of a probe: those of its suite entry, else those of the document."""
    entries = [entry for entry in suite if entry.get("kind") == kind]
    named = [entry for entry in entries if entry.get("name") == probe] or entries
    inline = [triple for entry in named for triple in objects_of(entry.get("triples"))]
    for triple in inline:
        texts = [triple.get(key) for key in ("prompt", "chosen", "rejected")]
        if all(isinstance(text, str) and text.strip() for text in texts):
            prompt, chosen, rejected = (str(text).strip() for text in texts)
            yield Preferred(prompt, chosen, rejected, probe, "triple of the suite")
    if inline:
        return
    for section in document.sections:
        for each in section.triples:
            how = f"triple of section {section.section_id}"
            yield Preferred(each.prompt, each.chosen, each.rejected, probe, how)
