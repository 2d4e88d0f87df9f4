"""Generators shared by the tests: texts that tease the grammar, sections, documents and edits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from dlm.doc.provenance import Origin, Provenance
from dlm.doc.render import escape_body, render_pair, render_section, render_triple
from dlm.doc.sections import PairRole, SectionType
from dlm.doc.spans import Span, Splice

DLM_ID = "01HRZYQ2X0MB5K4VN7E9DNT5GH"

# Lines that are grammar, nearly are, or were escaped once already.
TEASING_LINES = (
    "::",
    ":: ",
    ":::",
    "::instruction::",
    "::instruction#a.b::",
    "::Instruction::",
    "::prose::\t",
    '::image path="a::b.png"::',
    "::image::",
    "::what is this::",
    "### Q",
    "### Q ",
    "### Q !exam",
    "### A !what",
    "### A",
    "### Prompt",
    "### Chosen",
    "### Rejected",
    "#### Q",
    "### Question",
    "```",
    "````",
    "```python",
    "   ```",
    "    ```",
    "``` a`b",
    "~~~",
    "~~~~ x",
    "<!-- dlm-auto-synth: -->",
    "<!-- dlm-",
    "<!-- mine -->",
    "-->",
    "---",
    "\\",
    "\\::",
    "\\\\::prose::",
    "\\### Q",
    "\\```",
    "\\  ~~~",
    "\\<!-- dlm-",
    "",
    "  ",
    "\f",
    "\u2028",
    "\x85",
    "plain",
)


def strings() -> st.SearchStrategy[str]:
    """Any text, most of it full of lines that mean something in a document."""
    line = st.sampled_from(TEASING_LINES) | st.text(max_size=8)
    newline = st.sampled_from(("\n", "\n", "\n", "\r\n", "\r", "\n\n"))
    teasing = st.lists(st.tuples(line, newline), max_size=12).map(
        lambda pairs: "".join(text + end for text, end in pairs)
    )
    return (teasing | st.text()).map(lambda text: text.replace("\0", ""))


def filled_strings() -> st.SearchStrategy[str]:
    """Any text that is not blank, as a question or an answer must be."""
    return strings().filter(lambda text: bool(text.strip()))


def newlines() -> st.SearchStrategy[str]:
    return st.sampled_from(("\n", "\r\n"))


def names() -> st.SearchStrategy[str]:
    return st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)


def provenances() -> st.SearchStrategy[Provenance]:
    """Any provenance, with any characters in its strings."""
    anything = st.text(st.characters(exclude_categories=()))
    zones = st.sampled_from((UTC, timezone(timedelta(hours=5, minutes=30, seconds=7))))
    times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=zones)
    keys = names() | st.sampled_from(("by", "source", "run", "score_x", "extra_x", "extra_", "at"))
    return st.builds(
        Provenance,
        origin=st.sampled_from(Origin),
        by=anything,
        run=anything,
        at=st.none() | times,
        derived_from=st.none() | anything,
        scores=st.dictionaries(keys, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
        extra=st.dictionaries(keys, anything, max_size=3),
    )


@st.composite
def sections(draw: st.DrawFn, newline: str = "\n") -> str:
    """A section as this tool writes it."""
    origin = draw(st.none() | provenances())
    name = draw(st.none() | names())
    kind = draw(
        st.sampled_from((SectionType.INSTRUCTION, SectionType.PREFERENCE, SectionType.PROSE))
    )
    if kind is SectionType.INSTRUCTION:
        roles = st.sampled_from(PairRole)
        drawn = draw(st.lists(st.tuples(filled_strings(), filled_strings(), roles), min_size=1))
        body = "".join(render_pair(*pair, newline=newline) for pair in drawn[:3])
    elif kind is SectionType.PREFERENCE:
        body = render_triple(*(draw(filled_strings()) for _ in range(3)), newline=newline)
    else:
        body = escape_body(draw(strings()).replace("\r", "\n"))
    return render_section(kind, body, origin, newline, name)


@st.composite
def frontmatters(draw: st.DrawFn, newline: str = "\n") -> str:
    """Frontmatter with comments, quotes and empty lines in all the places they may stand."""
    mark = draw(st.sampled_from(("", "\ufeff")))
    quote = draw(st.sampled_from(("", "'", '"')))
    lines = [f"dlm_id: {quote}{DLM_ID}{quote}", "base_model: smollm2-135m"]
    extras = (
        "# a comment",
        "dlm_version: 7  # a number",
        "training: {seed: 3}",
        "training:\n  # inner\n  lora_r: 8 # small\n  trust:\n    mined: 0.25\n",
        "training:",
        "training: null",
        "system_prompt: |\n  Be kind.\n\n  Be brief.\n",
        "export:\n  default_quant: Q4_K_M",
    )
    chosen = draw(st.lists(st.sampled_from(extras), unique_by=lambda line: line.split(":")[0]))
    lines += chosen
    draw(st.randoms(use_true_random=False)).shuffle(lines)
    dashes = draw(st.sampled_from(("---", "--- ")))
    return mark + "\n".join((dashes, *lines, dashes, "")).replace("\n", newline)


@st.composite
def dlm_texts(draw: st.DrawFn) -> str:
    """A document that parses: any prose, closed and open sections, either newline."""
    newline = draw(newlines())
    # A lone "\r" is part of a line in prose; text after escape_body opens and closes nothing.
    prose = strings().map(lambda text: escape_body(text.replace("\r", "")) + "\n")
    gap = st.sampled_from(("", "\n", "\n\n", " \n"))
    pieces = [draw(frontmatters(newline))]
    for piece in draw(st.lists(st.tuples(gap, prose | sections(newline)), max_size=4)):
        pieces += [text if newline in text else text.replace("\n", newline) for text in piece]
    text = "".join(pieces)
    if draw(st.booleans()) and len(pieces) > 1:
        text = text.rstrip("\r\n")
    return text


def noise() -> st.SearchStrategy[str]:
    """Text that may or may not be a document."""
    head = st.sampled_from(
        ("", "---\n", f"---\ndlm_id: {DLM_ID}\nbase_model: x\n---\n", "\ufeff---\r\n---\n")
    )
    yaml_line = st.sampled_from(
        (
            f"dlm_id: {DLM_ID}\n",
            "base_model: x\n",
            "a: &a [*a]\n",
            "training: {seed: [}\n",
            "? [x]\n",
            "!!python/name:os.system x\n",
            "\t- x\n",
            "'\n",
            "training: 5\n",
            "%YAML 9.9\n",
            "...\n",
            "---\n",
        )
    )
    lines = st.lists(yaml_line | strings() | st.text(max_size=5), max_size=6).map("".join)
    return st.builds(lambda top, rest: top + rest, head, lines)


@st.composite
def splices(draw: st.DrawFn, text: str) -> tuple[Splice, ...]:
    """Changes of a text, none of which overlaps another."""
    bounds = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pairs = zip(bounds[::2], bounds[1::2], strict=False)
    return tuple(Splice(Span(*pair), draw(st.text(max_size=4))) for pair in pairs)
