"""What a message says to its reader: without reasoning, traffic of tools, citation marks and HTML.

Knows how chat programs write these into a text, and no format of a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final

_REASONING: Final = (
    "think|thinking|thought|thoughts|reasoning|reflection|analysis|antthinking|seed:think|"
    "scratchpad|inner_monologue"
)
_TOOLS: Final = (
    "tool_call|tool_calls|tool_use|tool_response|tool_result|function_call|function_calls|"
    r"function_result|function_results|function_response|antml:function_calls|antartifact"
)
# Blocks that are no part of an answer; one that does not end reaches to the end of the text.
# A tag in backticks is talked about.
_BLOCKS: Final = (
    re.compile(
        rf"(?<!`)<({_REASONING}|{_TOOLS})(?:\s[^<>]*)?>(?:(?!<\1\b).)*?</\1\s*>|"
        rf"^[ \t]*<({_REASONING}|{_TOOLS})(?:\s[^<>]*)?>(?:(?!</\2).)*\Z",
        re.DOTALL | re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(
        r"<details\s[^<>]*\btype=[\"']?(?:reasoning|tool_calls|code_interpreter)\b[^<>]*>"
        r".*?(?:</details>|\Z)|"
        r"<details[^<>]*>\s*<summary>[^<]*(?:thought|thinking|reasoning)[^<]*</summary>"
        r".*?(?:</details>|\Z)",
        re.DOTALL | re.IGNORECASE,
    ),
    re.compile(
        r"\[THINK\].*?(?:\[/THINK\]|\Z)|◁think▷.*?(?:◁/think▷|\Z)|"
        r"<\|begin_of_thought\|>.*?(?:<\|end_of_thought\|>|\Z)|"
        r"<\|channel\|>(?:analysis|commentary)\b.*?(?:<\|end\|>|<\|call\|>|(?=<\|start\|>)|\Z)|"
        r"<\|tool_calls?_begin\|>.*?(?:<\|tool_calls?_end\|>|\Z)|\[TOOL_CALLS\].*\Z",
        re.DOTALL,
    ),
    re.compile(r"```\s*This block is not supported on your current device yet\.\s*```"),
    re.compile(r"^:::(?:thinking|reasoning)\b.*?(?:^:::[ \t]*$|\Z)", re.DOTALL | re.MULTILINE),
)
# The template may have opened the thought, so that only its end stands in the answer.
_OPENED: Final = re.compile(
    rf"\A(?:(?!<(?:{_REASONING})\b).)*(?<!`)</(?:think|thinking|thought|reasoning)>|\A.*?◁/think▷",
    re.DOTALL | re.IGNORECASE,
)
_SPECIAL: Final = re.compile(
    r"<\|start\|>assistant|<\|channel\|>final|<\|(?:message|end|return|im_end|eot_id|end_of_text|"
    r"endoftext|begin_of_solution|end_of_solution)\|>|</s>\s*\Z"
)
_WRITING: Final = re.compile(r"^:::writing\b[^\n]*\n(.*?)^:::[ \t]*$", re.DOTALL | re.MULTILINE)
_CITATIONS: Final = re.compile(
    r"[ \t]*(?:"
    r"\ue200(?!entity|url)[^\ue201]*(?:\ue201|\Z)|"  # ChatGPT since 2025
    r"【[^【】]*(?:†|\d+:\d+)[^【】]*】|"  # ChatGPT before, and assistants
    r":contentReference\[oaicite:[^\]]*\](?:\{[^}]*\})?|\[oaicite:[^\]]*\](?:\{[^}]*\})?|"
    r"\bcite(?:turn\d+[a-z]+\d+)+|"
    r"\[\^\d+\^\]|"  # Bing, Kimi
    r"\[cit(?:e|ation):[^\]]*\]|\[cite_(?:start|end)\]|"  # Gemini, DeepSeek
    r"<sup\b[^<>]*>\s*(?:<a\b[^<>]*>\s*)?\[\d+\]\s*(?:</a>\s*)?</sup>|"
    r"<grok:render\b.*?</grok:render>|"
    r"\[\[\d+\]\]\([^()\s]*\)|"  # Grok
    r"\[source_?id[^\]]*\]|</?source_?id\b[^<>]*>|</?(?:antml:)?cite\b[^<>]*>"
    r")",
    re.DOTALL,
)
_CITED_NUMBERS: Final = re.compile(
    r"[ \t]*\[[1-9]\d{0,2}(?:, ?\d{1,3})*\](?![(:])|[ \t]*\[\d{1,3}\]\([^()\s]*\)"
)
_NAMED: Final = re.compile(
    r'\ue200entity\ue202\["[^"]*",\s*"([^"]*)"[^\ue201]*\ue201|'
    r"\ue200url\ue202([^\ue202\ue201]*)[^\ue201]*\ue201"
)
_MARKS: Final = re.compile(r"[\ue200-\ue20f]")
_CODE: Final = re.compile(r"(^(`{3,}|~{3,}).*?^\2[`~]*[ \t]*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_NAMES: Final = (
    "a|b|blockquote|button|code|del|details|div|em|h[1-6]|i|li|ol|p|pre|s|section|small|span|"
    "strong|sub|sup|table|tbody|td|th|thead|tr|u|ul"
)
_HTML: Final = re.compile(rf"<({_NAMES})(?:\s[^<>]*)?>.*?</\1>|<br\s*/?>", re.DOTALL)
_WHOLLY_HTML: Final = re.compile(
    r"\A\s*<(?:div|p|ol|ul|pre|h[1-6]|table|blockquote)\b.*>\s*\Z", re.DOTALL
)
_NOISE: Final = re.compile(r"\A\s*\d+ / \d+\s*(?=\S)|Copy\d+ chars / \d+ words|\bCopy code\b")


def plain(text: str, *, cited: bool = False) -> str:
    """The answer in a text of an assistant; `cited` says that numbers in brackets are sources."""
    for block in _BLOCKS:
        text = block.sub("", text)
    text = _WRITING.sub(r"\1", _SPECIAL.sub("", _OPENED.sub("", text)))
    text = _NAMED.sub(lambda found: found[1] or found[2] or "", text)
    text = _MARKS.sub("", _CITATIONS.sub("", text))
    if cited:
        text = _outside_code(text, lambda part: _CITED_NUMBERS.sub("", part))
    return without_html(text).strip()


def without_html(text: str) -> str:
    """Markdown in place of HTML; what stands in code is left alone, unless all of it is HTML."""
    if _WHOLLY_HTML.match(text):
        return _markdown(text)
    prose = "".join(_CODE.split(text)[::3])
    return _outside_code(text, _markdown) if _HTML.search(prose) else text


def asked(text: str) -> str:
    """What a user wrote: HTML is taken out only where a page was saved and all of it is."""
    return (_markdown(text) if _WHOLLY_HTML.match(text) else text).strip()


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    parts = _CODE.split(text)  # prose, code, its fence, prose, …
    return "".join(
        part if place % 3 == 1 else "" if place % 3 == 2 else change(part)
        for place, part in enumerate(parts)
        if part
    )


def _markdown(text: str) -> str:
    page = _Page()
    page.feed(text)
    page.close()
    said = _NOISE.sub("", "".join(page.out))
    said = re.sub(r"[ \t]+\n", "\n", said)
    return re.sub(r"\n{3,}", "\n\n", said)


class _Page(HTMLParser):
    """Collects in `out` what a reader of the page sees, as Markdown."""

    _SILENT: Final = frozenset({"button", "script", "style", "svg", "summary", "head", "math"})
    _BLOCK: Final = frozenset(
        {"p", "div", "ul", "ol", "blockquote", "table", "section", "details"}
        | {f"h{level}" for level in range(1, 7)}
    )
    _INLINE: Final = frozenset(
        {"a", "code", "span", "u", "small", "sub", "sup", "li", "tr", "td", "th", "thead", "tbody"}
        | {"br", "img", "input", "hr", "label", "figure", "math", "semantics"}
    )
    _AROUND: Final = {"strong": "**", "b": "**", "em": "*", "i": "*", "del": "~~", "s": "~~"}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._silent = ""  # the element that nobody reads, and how many of its name are open
        self._open = 0
        self._header = 0  # cells of a table's first row
        self._lists: list[int | None] = []
        self._pre: int | None = None  # where in `out` the block of code began

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        if self._silent:
            self._open += tag == self._silent
            if tag == "annotation":  # the source of a formula, beside what is drawn of it
                self._silent, self._open = "", 0
                self._put("$")
        elif tag in self._SILENT or dict(attrs).get("aria-hidden") == "true":
            self._silent, self._open = tag, 1
        elif tag == "pre":
            self._pre = len(self.out)
            self._put("\n\n```\n")
        elif tag == "code" and self._pre is not None:  # before it stand buttons and a heading
            language = re.search(r"language-([\w+#-]+)", dict(attrs).get("class") or "")
            self.out[self._pre :] = [f"\n\n```{language[1] if language else ''}\n"]
        elif tag == "code":
            self._put("`")
        elif tag in self._AROUND:
            self._put(self._AROUND[tag])
        elif tag == "br":
            self._put("\n")
        elif tag in ("ul", "ol"):
            self._put("\n" if self._lists else "\n\n")
            start = dict(attrs).get("start") or "1"
            self._lists.append((int(start) if start.isdigit() else 1) if tag == "ol" else None)
        elif tag == "li":
            self._item()
        elif tag[:1] == "h" and tag[1:].isdigit():
            self._put(f"\n\n{'#' * int(tag[1:])} ")
        elif tag == "tr":
            self._put("\n")
        elif tag in ("td", "th"):
            self._header += tag == "th"
            self._put("| ")
        elif tag in self._BLOCK and self._pre is None and not self._lists:
            self._put("\n\n")
        elif tag not in self._BLOCK | self._INLINE:
            self._put(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if self._silent:
            self._open -= tag == self._silent
            self._silent = self._silent if self._open else ""
        elif tag == "annotation":
            self._put("$")
        elif tag == "pre":
            self._pre = None
            if self.out and not self.out[-1].endswith("\n"):
                self._put("\n")
            self._put("```\n\n")
        elif tag == "code" and self._pre is None:
            self._put("`")
        elif tag in self._AROUND:
            self._put(self._AROUND[tag])
        elif tag in ("ul", "ol"):
            if self._lists:
                self._lists.pop()
            self._put("" if self._lists else "\n\n")
        elif tag in ("td", "th"):
            self._put(" ")
        elif tag == "tr":
            self._put("|" + ("\n" + "|---" * self._header + "|" if self._header else ""))
            self._header = 0
        elif tag in self._BLOCK and self._pre is None and not self._lists:
            self._put("\n\n")
        elif tag not in self._BLOCK | self._INLINE:
            self._put(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        self._put(data)

    def _put(self, text: str) -> None:
        if not self._silent and text:
            self.out.append(text)

    def _item(self) -> None:
        indent = "  " * (len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        lead = "" if not self.out or self.out[-1].endswith("\n") else "\n"
        self._put(f"{lead}{indent}{'-' if number is None else f'{number}.'} ")
