"""The change from one document to another as a unified diff, such as `patch` takes.

Sections that both hold are not compared line by line, so a long document costs no search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, Literal, NamedTuple

from dlm.doc.document import Document
from dlm.doc.sections import Section
from dlm.loops.edits.applying import fitted, rebase
from dlm.loops.edits.places import first_line, text_end
from dlm.loops.edits.plan import EditPlan, Place

_CONTEXT: Final = 3
_NO_NEWLINE: Final = "\n\\ No newline at end of file\n"

_Tag = Literal["replace", "delete", "insert", "equal"]
_Operation = tuple[_Tag, int, int, int, int]


def diff(
    document: Document,
    plan: EditPlan,
    only: Collection[str] | None = None,
    place: Place = "after",
) -> str:
    """What the plan, as far as it fits, would change in the document; empty when nothing."""
    return unified(document, fitted(document, rebase(document, plan, only, place).plan, place))


def unified(before: Document, after: Document) -> str:
    """The unified diff of two documents, lines of the file with their own newlines."""
    old, new = _lines(before.text), _lines(after.text)
    name = str(after.path or "document.dlm")
    operations = _Known(list(_merged(_operations(before, after, old, new))))
    hunks = ["".join(_hunk(group, old, new)) for group in operations.get_grouped_opcodes(_CONTEXT)]
    return "".join([f"--- {name}\n+++ {name}\n", *hunks]) if hunks else ""


class _Known(SequenceMatcher[str]):
    """A comparison whose result is known; the library groups it into hunks."""

    def __init__(self, operations: list[_Operation]) -> None:
        super().__init__()
        self._operations = operations

    def get_opcodes(self) -> list[_Operation]:
        return self._operations


class _Stretch(NamedTuple):
    """The lines of something without the blank lines around it, and what it is known by."""

    key: Hashable
    start: int
    end: int


def _operations(
    before: Document, after: Document, old: list[str], new: list[str]
) -> Iterator[_Operation]:
    i = j = 0
    for left, right in _matches(list(_stretches(before)), list(_stretches(after))):
        length = left.end - left.start
        if old[left.start : left.end] != new[right.start : right.end]:
            length -= 1  # The last line of one of them may lack its newline.
            if old[left.start : left.end - 1] != new[right.start : right.end - 1]:
                continue
        yield from _compared(old, i, left.start, new, j, right.start)
        i, j = left.start + length, right.start + length
        if length > 0:
            yield "equal", left.start, i, right.start, j
    yield from _compared(old, i, len(old), new, j, len(new))


def _merged(operations: Iterable[_Operation]) -> Iterator[_Operation]:
    """The operations with neighbours of one kind made one, as the grouping expects."""
    last: _Operation | None = None
    for operation in operations:
        if last is not None and last[0] == operation[0]:
            last = (last[0], last[1], operation[2], last[3], operation[4])
            continue
        if last is not None:
            yield last
        last = operation
    if last is not None:
        yield last


def _compared(
    old: list[str], i: int, i_end: int, new: list[str], j: int, j_end: int
) -> Iterator[_Operation]:
    matcher = SequenceMatcher(None, old[i:i_end], new[j:j_end], autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        yield tag, i + a, i + a_end, j + b, j + b_end


def _matches(left: list[_Stretch], right: list[_Stretch]) -> Iterator[tuple[_Stretch, _Stretch]]:
    """The stretches that stand in both, in order: one side only lacks or has more of them."""
    rest = Counter(each.key for each in left)
    ahead = Counter(each.key for each in right)
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i].key == right[j].key:
            yield left[i], right[j]
        gone = left[i].key != right[j].key and ahead[left[i].key] < rest[left[i].key]
        new = left[i].key != right[j].key and not gone
        if not new:
            rest[left[i].key] -= 1
            i += 1
        if not gone:
            ahead[right[j].key] -= 1
            j += 1


def _stretches(document: Document) -> Iterator[_Stretch]:
    text, line, cursor = document.text, 0, 0
    parts: Iterable[Section | None] = (None, *document.sections)
    for section in parts:
        start, end = first_line(section) if section else 0, text_end(document, section)
        first = line + text.count("\n", cursor, start)
        line = first + text.count("\n", start, end)
        cursor = end
        last = line if text.endswith("\n", start, end) else line + 1
        key = (section.section_id, section.provenance, section.name) if section else None
        yield _Stretch(key, first, last)


def _lines(text: str) -> list[str]:
    # Not `splitlines`: a line of a document ends at "\n" and nothing else.
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]


def _hunk(
    group: Sequence[tuple[str, int, int, int, int]], old: list[str], new: list[str]
) -> Iterator[str]:
    first, last = group[0], group[-1]
    yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
    for tag, i, i_end, j, j_end in group:
        if tag == "equal":
            yield from (_line(" ", line) for line in old[i:i_end])
        else:
            yield from (_line("-", line) for line in old[i:i_end])
            yield from (_line("+", line) for line in new[j:j_end])


def _line(sign: str, line: str) -> str:
    return f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}{_NO_NEWLINE}"


def _range(start: int, end: int) -> str:
    length = end - start
    return f"{start + 1 if length else start},{length}" if length != 1 else f"{start + 1}"
