"""`dlm eval`, `dlm exam` and `dlm show --learned`: what a version knows, and what is only asked."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlm.cli.common import (
    document_store,
    note,
    one_line,
    painted,
    print_json,
    print_table,
    read_document,
)
from dlm.cli.options import JsonOption, PathArgument, group
from dlm.errors import TrainingError
from dlm.text.words import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dlm.data.contamination import Finding
    from dlm.data.lessons import Lesson, Lessons
    from dlm.doc.document import Document
    from dlm.eval.answers import Item
    from dlm.eval.comparison import Comparison
    from dlm.eval.figures import Figure
    from dlm.eval.learned_map import SectionState
    from dlm.eval.scorecard import Scorecard
    from dlm.store.records import Version
    from dlm.store.store import Store


def run(
    path: PathArgument = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--version", metavar="vNNNN", help="Measure this version instead of the current one."
        ),
    ] = None,
    by_section: Annotated[
        bool, typer.Option("--by-section", help="Say of each section whether it is learned.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure what a version knows, lost, and how it speaks."""
    from dlm.engine.answer import choose_version
    from dlm.eval.comparison import with_earlier
    from dlm.eval.learned_map import learned_map

    document = read_document(path)
    with document_store(document) as store:
        chosen = choose_version(store, document, version)
        card = measure_now(store, chosen, document)
        compared = with_earlier(store, chosen, card)
        changed = store.run_of(chosen).document_sha256 != document.sha256
    if as_json:
        print_json(
            {
                "version": chosen.name,
                "document_changed": changed,
                **card.to_json(),
                "sections": [state.to_json() for state in learned_map(document, card)],
                "compared": compared.to_json() if compared else None,
            }
        )
        return
    since = ", which changed since it was trained" if changed else ""
    print(f"{chosen.name} on {document.path}{since}")
    print_table(figure_rows(card, compared))
    print_questions(card, compared, document.path)
    if by_section:
        print()
        print_map(document, card)


def measure_now(store: Store, version: Version, document: Document) -> Scorecard:
    """Measure a version and keep its scorecard, where the store can be written."""
    from dlm.base_models import base_of
    from dlm.base_models.locate import local_folder
    from dlm.cli.working import WorkLine
    from dlm.engine.answer import check_base
    from dlm.eval.comparison import keep
    from dlm.eval.measure import measure_version

    base = base_of(document)
    folder = local_folder(base)
    check_base(store, version, folder, base.key)
    note(f"measuring {version.name} on {document.path} …")
    with closing(WorkLine()) as tell:
        card = measure_version(store, version, document, base, folder, tell)
    if store.read_only:
        note("note: the store cannot be written, so this scorecard is not kept")
    else:
        with store.database.transaction():
            keep(store.database, version.number, card)
    return card


_SHOWN = 10  # questions of one kind; the rest is counted


def figure_rows(card: Scorecard, compared: Comparison | None) -> dict[str, str]:
    """Aligned `name  value` rows for `print_table`."""
    rows = dict(_rows(card))
    if compared is not None:
        rows[f"since {compared.before}"] = _change(compared)
    return rows


def print_questions(card: Scorecard, compared: Comparison | None, path: object) -> None:
    """The questions that matter: those lost since, and those that are not answered."""
    from dlm.eval.answers import Kind

    lost = list(compared.lost) if compared else []
    _print_group("lost", lost)
    named = {(item.line, item.question) for item in lost}
    asked = [item for item in card.of(Kind.TRAINED) if item.said and not item.said.right]
    open_ = [item for item in asked if (item.line, item.question) not in named]
    _print_group("not learned yet", open_)
    for kind, name in ((Kind.HELD_OUT, "held out"), (Kind.EXAM, "exam")):
        unseen = [item for item in card.of(kind) if item.said and not item.said.right]
        _print_group(name, [i for i in unseen if (i.line, i.question) not in named])
    if compared and lost:
        print(f"  to go back: dlm rollback {path} {compared.before}")


def _rows(card: Scorecard) -> Iterator[tuple[str, str]]:
    from dlm.eval.answers import Kind

    trained = card.of(Kind.TRAINED)
    if trained:
        exact = sum(item.fit.exact for item in trained)
        text = f"{exact} of {count(len(trained), 'answer')} word for word"
        recall = card.figure("recall", "right")
        if recall.n < len(trained) or recall.value != exact / len(trained):
            text += f"; asked {recall.n}, {recall.hits} right"
        yield "learned", text
    for kind, name in (
        (Kind.HELD_OUT, "held out"),
        (Kind.EXAM, "exam"),
        (Kind.REWORDED, "reworded"),
    ):
        said = [item.said for item in card.of(kind) if item.said]
        if said:
            right = f"{sum(one.right for one in said)} of {len(said)} right"
            yield name, right + _why(card, name)
    if opened := list(_open_parts(card)):
        yield "open", f"{', '.join(opened)} (the notes quoted)"
    probes = card.figure("probes", "right")
    if probes.n:
        yield "probes", f"{probes.hits} of {probes.n} right"
    yield from _text_rows(card)
    yield from _verdict_rows(card)


def _open_parts(card: Scorecard) -> Iterator[str]:
    """With the notes open: how many of the trained and of the other questions are right."""
    from dlm.eval.answers import Kind

    others = next((kind for kind in (Kind.EXAM, Kind.HELD_OUT) if card.of(kind)), Kind.REWORDED)
    what = "reworded" if others is Kind.REWORDED else "never trained"
    for name, of in (("recall", "trained"), ("generalisation", what)):
        figure = card.figure("open", name)
        if figure.n:
            yield f"{figure.hits} of {figure.n} {of} right"
    declined = card.figure("open", "declined")
    if declined.n and declined.hits:
        yield f"{declined.hits} declined"


def _text_rows(card: Scorecard) -> Iterator[tuple[str, str]]:
    prose, base = card.figure("prose", "perplexity"), card.figure("prose", "base_perplexity")
    if prose.value is not None and base.value is not None:
        change = f"perplexity {base.value:.1f} → {prose.value:.1f}"
        yield "prose", f"{change} (measured on the training text)"
    drift = card.figure("drift", "texts")
    if drift.value is not None:
        between = _between(drift, lambda value: f"{value:+.2f}")
        text = f"{drift.value:+.2f} nats a token on {drift.n} general texts{between}"
        asked = card.figure("drift", "questions")
        yield "drift", f"{text}; {asked.value or 0.0:+.2f} on {asked.n} everyday questions"
    worse, spilled = card.figure("drift", "worse"), card.figure("drift", "spilled")
    if worse.value is not None:
        text = f"{worse.hits} of {worse.n} everyday questions answered worse than by the base"
        yield "general", text + f", {spilled.hits} with an answer from the document"


def _verdict_rows(card: Scorecard) -> Iterator[tuple[str, str]]:
    coherence = card.figure("coherence", "coherence")
    if coherence.value is not None:
        between = _between(coherence, lambda value: f"{value:.2f}")
        yield "coherence", f"{coherence.value:.2f} over {coherence.n} answers{between}"
    overall = card.figure("overall", "overall")
    parts = [
        f"{name} {figure.value:.2f}"
        for name in ("accuracy", "coherence", "knowledge")
        if (figure := card.figure("overall", name)).value is not None
    ]
    text = "not measured" if overall.value is None else f"{overall.value:.2f}"
    why = overall.note if overall.value is None else ", ".join(parts)
    yield "overall", f"{text} ({why})"


def _why(card: Scorecard, name: str) -> str:
    figure = card.figure("generalisation", "right")
    between = _between(figure, lambda value: f"{value:.0%}")
    return f" (by rule, not an exam){between}" if name == "reworded" else " (never trained)"


def _change(compared: Comparison) -> str:
    parts = [f"gained {len(compared.gained)}"]
    if compared.learned:
        parts.append(f"{len(compared.learned)} new")
    parts.append(f"lost {len(compared.lost)}")
    if compared.gone:
        parts.append(f"{compared.gone} no longer in the document")
    return ", ".join(parts)


def _print_group(name: str, items: Sequence[Item]) -> None:
    for item in items[:_SHOWN]:
        answer = item.said.text[:200] if item.said else ""
        print(f"  {name}, line {item.line}: {item.question}")
        print(f"    expected {item.reference[:200]}")
        print(f"    answers  {answer}")
    if len(items) > _SHOWN:
        print(f"  {name}: {len(items) - _SHOWN} more")


def _between(figure: Figure, show: Callable[[float], str]) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f", 90 % between {show(figure.low)} and {show(figure.high)}"


_BAR = 10  # characters


def show_learned(document: Document, *, as_json: bool) -> None:
    """Show the map that is kept for the current version and text; measure where there is none."""
    from dlm.engine.answer import choose_version
    from dlm.eval.comparison import kept
    from dlm.eval.learned_map import learned_map

    with document_store(document) as store:
        current = choose_version(store, document, None)
        card = kept(store, current, document.sha256)
        if card is None:
            card = measure_now(store, current, document)
    if as_json:
        sections = [state.to_json() for state in learned_map(document, card)]
        print_json({"version": current.name, "sections": sections})
        return
    print(f"{current.name} on {document.path}")
    print_map(document, card)


def print_map(document: Document, card: Scorecard) -> None:
    """One line a section, and how many are in which state."""
    from collections import Counter

    from dlm.eval.learned_map import State, learned_map

    states = learned_map(document, card)
    for state in states:
        print(_map_line(state))
    totals = Counter(state.state for state in states)
    parts = [f"{totals[state]} {state.value}" for state in State if totals[state]]
    left_out = _prose_sections(document) - len([one for one in states if not one.pairs])
    if left_out > 0:
        parts.append(f"{left_out} of prose not measured; `dlm eval` measures all")
    print(f"{count(len(states), 'section')}: {', '.join(parts) or 'none that teaches'}")


def _prose_sections(document: Document) -> int:
    """How many sections of prose teach anything."""
    return len({one.section_id for one in _lessons(document).prose if not one.file})


def _map_line(section: SectionState) -> str:
    full = round(section.known * _BAR)
    word = f"{section.state.value:<11}"
    bar = "█" * full + "░" * (_BAR - full)
    what = f"{section.right} of {section.pairs}" if section.pairs else section.type
    place = f"line {section.line:<5} {what:<8} {section.opening[:60]}"
    return f"{_coloured(section, f'{word}  {bar}')}  {place}"


def _coloured(section: SectionState, text: str) -> str:
    colours = {"learned": "\x1b[32m", "partly": "\x1b[33m", "not learned": "\x1b[31m"}
    return painted(text, colours[section.state.value] if sys.stdout.isatty() else "")


app = group("exam", "The questions that are only asked, never trained on.")


@app.command("list")
def list_exam(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """List the exam questions, and the pairs that are held out."""
    document = read_document(path)
    lessons = _lessons(document)
    fraction = document.frontmatter.training.held_out
    if as_json:
        print_json(
            {
                "exam": [_question_json(item) for item in lessons.exam],
                "held_out": [_question_json(item) for item in lessons.held_out],
                "held_out_fraction": fraction,
                "training_pairs": len(lessons.pairs),
            }
        )
        return
    if not lessons.exam:
        print(f"{document.path} has no exam questions")
    if not (lessons.exam or fraction):
        note("hint: mark a pair `### Q !exam` to seal it, or set training.held_out")
    for item in lessons.exam:
        print(f"{item.line:>6}  exam      {one_line(item.question, 100)}")
    for item in lessons.held_out:
        print(f"{item.line:>6}  held out  {one_line(item.question, 100)}")
    if fraction:
        pairs = count(len(lessons.pairs), "pair")
        print(
            f"held out: {count(len(lessons.held_out), 'pair')} beside {pairs} that train "
            f"(training.held_out: {fraction:g})"
        )


@app.command("verify")
def verify_exam(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """Check that nothing which trains nearly repeats an exam question."""
    from dlm.data.contamination import findings

    document = read_document(path)
    lessons = _lessons(document)
    found = findings(lessons.train, lessons.exam)
    twins = findings(lessons.train, lessons.held_out)
    if as_json:
        print_json(
            {
                "clean": not found,
                "exam": len(lessons.exam),
                "findings": [asdict(one) for one in found],
                "held_out": len(lessons.held_out),
                "held_out_findings": [asdict(one) for one in twins],
            }
        )
    else:
        for one in found:
            print(_sentence(document, one, "exam"))
        for one in twins:
            print(_sentence(document, one, "held-out"))
    if found:
        raise TrainingError(
            f"{count(len(found), 'place')} of {document.path} "
            f"{'repeats' if len(found) == 1 else 'repeat'} what the exam asks",
            hint="reword or remove one of each two, or drop the !exam mark",
        )
    if not as_json:
        questions = count(len(lessons.exam), "exam question")
        clean = f"clean: nothing that trains repeats the {questions} of {document.path}"
        print(clean if lessons.exam else f"{document.path} has no exam questions")
        if twins:
            note("hint: a held-out question with a twin that trains measures memory, not more")


def _lessons(document: Document) -> Lessons:
    from dlm.data.lessons import lessons_of

    return lessons_of(document)


def _sentence(document: Document, found: Finding, kind: str) -> str:
    return (
        f"{found.file or document.path}:{found.line}: nearly repeats the {kind} question of line "
        f"{found.sealed_line}\n    {one_line(found.question, 100)}\n"
        f"    {one_line(found.sealed_question, 100)}"
    )


def _question_json(item: Lesson) -> dict[str, Any]:
    return {
        "line": item.line,
        "section_id": item.section_id,
        "question": item.question,
        "answer": item.text,
    }
