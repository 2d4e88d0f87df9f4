"""The text of a PDF, page by page: paragraphs put together again, headings told by their size.

A page begins with a comment that names its number. What stands at the top or the bottom of most
pages is left out.
"""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dlm.errors import DlmError
from dlm.sources.imported import Imported, plain, prose
from dlm.sources.markup import damaged, missing_extra

_ITEM: Final = re.compile(r"\s*(?:[-•‣–*·o]|\(?[0-9]{1,3}[.)]|\(?[a-z][.)])\s+")
_BULLET: Final = re.compile(r"(?m)^[•‣·●▪]\s*")
_HYPHEN: Final = re.compile(r"(?<=[^\W\d_])[-‐\u00ad]$")
_NUMBERS: Final = re.compile(r"[0-9]+|\b[ivxlc]+\b")
_FULL: Final = 0.72  # of the width of its block: a line that the margin broke
_LARGER: Final = 1.15  # times the letters of the text: a heading
_EDGE: Final = 2  # blocks at the top and at the bottom that may be repeated
_REPEATED: Final = 0.5  # of the pages
_LIGATURES: Final = str.maketrans({"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl"})


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that stand together, and the size of their letters."""

    lines: tuple[str, ...]
    widths: tuple[float, ...]
    size: float

    @property
    def shape(self) -> str:
        """The text without numbers: what a header says on every page."""
        return _NUMBERS.sub("#", " ".join(" ".join(self.lines).split()).lower())


def from_pdf(path: Path, data: bytes) -> Imported:
    """The text of a PDF; raises DlmError when it holds none, as a scan does, or is locked."""
    pages = _pages(path, data)
    body = _body_size(pages)
    kept, repeated = _without_repeated(pages, body)
    text = ""
    for number, blocks in enumerate(kept, 1):
        page = _joined([_text(block, body) for block in blocks])
        if page.strip():
            text += _between(text, page) + f"<!-- page {number} -->\n" + page
    if not text:
        raise DlmError(
            f"{path} holds no text on its {len(pages)} pages",
            hint="a scanned page is a picture: read it with OCR first",
        )
    shown = ", ".join(repr(one[:60]) for one in repeated)
    notes = [f"left out of {path}, as most pages repeat it: {shown}"] if repeated else []
    return prose(path, text, notes)


def _pages(path: Path, data: bytes) -> list[list[_Block]]:
    try:
        from pdfminer.high_level import extract_pages
        from pdfminer.layout import LAParams, LTTextContainer
        from pdfminer.pdfdocument import PDFPasswordIncorrect, PDFTextExtractionNotAllowed
        from pdfminer.psparser import PSException
    except ImportError as error:
        raise missing_extra(path) from error
    logging.getLogger("pdfminer").setLevel(logging.ERROR)  # it warns of every odd font
    try:
        return [
            [block for box in page if isinstance(box, LTTextContainer) for block in _blocks(box)]
            for page in extract_pages(io.BytesIO(data), laparams=LAParams())
        ]
    except (PDFPasswordIncorrect, PDFTextExtractionNotAllowed) as error:
        raise DlmError(f"{path} is locked with a password", hint="unlock it first") from error
    except (PSException, ValueError, KeyError, TypeError, IndexError) as error:
        raise damaged(path, "a PDF") from error


def _blocks(box: Any) -> Iterator[_Block]:
    """The lines of a box, parted where their size changes."""
    lines: list[tuple[str, float, float]] = []
    whole = all(hasattr(one, "get_text") and hasattr(one, "__iter__") for one in box)
    for line in box if whole else [box]:
        text = _cleaned(line.get_text())
        sizes = [one.size for one in line if hasattr(one, "size")]
        size = (
            round(Counter(round(one, 1) for one in sizes).most_common(1)[0][0], 1) if sizes else 0
        )
        if lines and abs(lines[-1][2] - size) > 0.6:
            yield _block(lines)
            lines = []
        if text.strip():
            lines.append((text, line.width, size))
    if lines:
        yield _block(lines)


def _block(lines: Sequence[tuple[str, float, float]]) -> _Block:
    texts, widths, sizes = zip(*lines, strict=True)
    return _Block(tuple(texts), tuple(widths), max(sizes))


def _cleaned(text: str) -> str:
    text = re.sub(r"\(cid:[0-9]+\)", "", text).translate(_LIGATURES).replace("\u00a0", " ")
    return " ".join(plain(text).split())


def _without_repeated(
    pages: Sequence[list[_Block]], body: float
) -> tuple[list[list[_Block]], list[str]]:
    """The pages without their running heads and feet, and each of these; a title stays."""
    edges = [{block.shape for block in [*page[:_EDGE], *page[-_EDGE:]]} for page in pages]
    counts = Counter(shape for edge in edges for shape in edge)
    often = {
        shape
        for shape, times in counts.items()
        if shape == "#" or (len(pages) > 2 and times > _REPEATED * len(pages))
    }
    examples: dict[str, str] = {}
    kept: list[list[_Block]] = []
    for number, page in enumerate(pages):
        kept.append([])
        for at, block in enumerate(page):
            inside = _EDGE <= at < len(page) - _EDGE
            is_title = number == 0 and block.size >= _LARGER * body
            if block.shape not in often or inside or is_title:
                kept[-1].append(block)
            elif block.shape != "#":
                examples.setdefault(block.shape, " ".join(block.lines))
    return kept, list(examples.values())


def _body_size(pages: Sequence[list[_Block]]) -> float:
    """The size that most letters have."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for block in page:
            sizes[block.size] += sum(map(len, block.lines))
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _text(block: _Block, body: float) -> str:
    """A block as Markdown: a heading where its letters are larger, else its paragraphs."""
    words = " ".join(block.lines)
    large = body and block.size >= _LARGER * body and len(block.lines) <= 3 and len(words) <= 160
    if large and re.search(r"[^\W\d_]{2}", words):
        return f"{'#' if block.size >= 1.6 * body else '##'} {words}"
    widest = max(block.widths)
    text = block.lines[0]
    for before, width, line in zip(block.lines, block.widths, block.lines[1:], strict=False):
        if _HYPHEN.search(before) and line[:1].islower():
            text = text[:-1] + line
        elif width >= _FULL * widest and not _ITEM.match(line):
            text += " " + line
        else:
            text += "\n" + line
    return _BULLET.sub("- ", text)


def _joined(texts: Sequence[str]) -> str:
    """The blocks of a page, each a paragraph unless it goes on with the one before."""
    page = ""
    for text in texts:
        if text.strip() in ("", "-"):  # a bullet whose item stands elsewhere
            continue
        page += (" " if _goes_on(page, text) else "\n\n" if page else "") + text
    return page


def _between(text: str, page: str) -> str:
    """What parts two pages: nothing that would end a sentence that goes on."""
    return "" if not text else "\n" if _goes_on(text, page) else "\n\n"


def _goes_on(before: str, text: str) -> bool:
    """Whether a text continues a sentence: small letters after what no mark and no heading ends."""
    last = before.rstrip().rpartition("\n")[2]
    ended = not last or last.startswith("#") or last.endswith((".", "!", "?", ":", ";"))
    return not ended and text[:1].islower()
