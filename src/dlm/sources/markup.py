"""HTML, DOCX and EPUB as Markdown: headings, lists, tables and code, without what surrounds a text.

Links keep their words only, and pictures their description. The libraries are those that
markitdown puts together for the same; of these three only what is needed is loaded.
"""

from __future__ import annotations

import io
import posixpath
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from dlm.errors import DlmError
from dlm.sources.imported import Imported, comment, plain, prose

NEEDS_EXTRA: Final = "pip install 'dlm[documents]'"

_NO_TEXT: Final = (
    *("script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas"),
    *("nav", "aside", "footer", "form", "button", "select", "dialog", "head"),
)
_NO_CONTENT: Final = (
    "[role=navigation], [role=banner], [role=contentinfo], [role=search], [hidden], "
    "[aria-hidden=true], a.headerlink, body > header"
)
_LARGEST: Final = 2**26  # bytes of one part of an EPUB, unpacked
_BLANK_LINES: Final = re.compile(r"\n(?:[ \t]*\n){2,}")


def from_html(path: Path, data: bytes) -> Imported:
    """The main text of a page."""
    return prose(path, _markdown(_soup(data, path)))


def from_docx(path: Path, data: bytes) -> Imported:
    """The text of a Word document."""
    try:
        import mammoth  # type: ignore[import-untyped]
    except ImportError as error:
        raise missing_extra(path) from error
    try:
        page = mammoth.convert_to_html(io.BytesIO(data), convert_image=_no_image(mammoth)).value
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise damaged(path, "a DOCX") from error
    return prose(path, _markdown(_soup(page.encode(), path)))


def from_epub(path: Path, data: bytes) -> Imported:
    """The chapters of a book in reading order, each begun by a comment that names its file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            chapters = list(_chapters(archive, path))
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError) as error:
        raise damaged(path, "an EPUB") from error
    texts = [f"{comment(name)}\n{text}" for name, text in chapters if text.strip()]
    return prose(path, "\n\n".join(texts))


def missing_extra(path: Path) -> DlmError:
    """What to raise where the libraries that read such a file are not installed."""
    return DlmError(
        f"reading {path} takes the extra `documents`, which is not installed", hint=NEEDS_EXTRA
    )


def damaged(path: Path, kind: str) -> DlmError:
    """What to raise for a file that is not what its name says."""
    return DlmError(f"{path} cannot be read as {kind}: it is damaged, or something else")


def _soup(data: bytes, path: Path) -> Any:
    try:
        from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
    except ImportError as error:
        raise missing_extra(path) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        return BeautifulSoup(data, "html.parser")


def _markdown(soup: Any) -> str:
    """The text of a page; its title comes first where nothing in it is a heading."""
    from bs4.element import PreformattedString
    from markdownify import ATX, MarkdownConverter

    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    for hidden in soup.find_all(string=lambda text: isinstance(text, PreformattedString)):
        hidden.extract()
    for element in [*soup(_NO_TEXT), *soup.select(_NO_CONTENT)]:
        element.decompose()
    articles = soup.find_all("article")
    body = soup.find("main") or (articles[0] if len(articles) == 1 else soup.body) or soup
    for image in body("img"):
        image.replace_with(image.get("alt") or "")
    converter = MarkdownConverter(
        heading_style=ATX,
        bullets="-",
        strip=["a"],
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
    )
    text = _BLANK_LINES.sub("\n\n", plain(converter.convert_soup(body))).strip()
    if title and not re.search(r"(?m)^#{1,6} ", text):
        text = f"# {plain(title)}\n\n{text}"
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _no_image(mammoth: Any) -> Any:
    """Pictures with their description alone, so that their bytes are never copied."""
    return mammoth.images.img_element(lambda image: {"src": ""})


def _chapters(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, str]]:
    """(name, Markdown) of the parts of a book that are read in turn, without its own contents."""
    container = _soup(_part(archive, "META-INF/container.xml", path), path)
    root = container.find("rootfile")
    if root is None:
        raise damaged(path, "an EPUB")
    package_name = str(root.get("full-path"))
    package = _soup(_part(archive, package_name, path), path)
    items = {str(item.get("id")): item for item in package("item")}
    names = set(archive.namelist())
    for reference in package("itemref"):
        item = items.get(str(reference.get("idref")))
        if item is None or "nav" in str(item.get("properties", "")).split():
            continue
        if "html" not in str(item.get("media-type", "html")):
            continue
        for link in (unquote(str(item.get("href"))), str(item.get("href"))):
            name = posixpath.normpath(posixpath.join(posixpath.dirname(package_name), link))
            if name in names:
                yield posixpath.basename(name), _markdown(_soup(_part(archive, name, path), path))
                break


def _part(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST:
        raise DlmError(f"{path}: {name} is too large to be read")
    return archive.read(name)
