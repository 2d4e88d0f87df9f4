"""Completes what a report only names: cut prompts, sections by id, triples that did not flip.

The suite file that the report names comes first, then the document itself. What fits more than one
pair is not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.sections import Pair, PairRole, Section, SectionType
from dlm.loops.reports.values import Cut, Preferred, Recovered, Report, Unusable, WeakSection

_CUT_AT: Final = 80
_LARGEST_SUITE: Final = 16 * 2**20  # bytes

# How `sway autogen` asks a question of the document in other words.
_REWORDED: Final = ("Could you explain: {}?", "I'd like to know — {}.", "Please describe: {}.")

_Case = tuple[str, str, str]  # prompt, reference, and the question that the prompt rewords


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
    cases = entry.get("cases")
    for case in cases if isinstance(cases, list) else ():
        if not isinstance(case, dict) or not isinstance(gold := case.get("gold"), str):
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
    inline = [
        triple
        for entry in named
        for triple in (entry.get("triples") or ())
        if isinstance(triple, dict)
    ]
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
