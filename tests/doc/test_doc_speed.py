"""Reading takes time in proportion to the text, whatever the text is made of."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from strategies import DLM_ID

from dlm.doc.parser import parse_text
from dlm.doc.render import escape_body, unescape_body
from dlm.errors import DocumentError

HEAD = f"---\ndlm_id: {DLM_ID}\nbase_model: pocket\n---\n"
PAIR = "::instruction::\n### Q\nWhat is {n}?\n### A\nA number.\n::\n\n"
SIZE = 300_000

# Each a few hundred kilobytes, and slow to read for a parser that looks at anything twice.
AWKWARD = {
    "sections": "".join(PAIR.format(n=n) for n in range(SIZE // 55)),
    "pairs": "::instruction::\n" + "### Q\na\n### A\nb\n" * (SIZE // 16),
    "colons": ":" * SIZE,
    "colon lines": "::\n" * (SIZE // 3),
    "fence of spaces": "::" + " " * SIZE + "x",
    "fence of words": "::" + "a " * (SIZE // 2),
    "image": '::image path="' + ":: " * (SIZE // 3),
    "marker": "::prose::\n<!-- dlm-auto-synth: " + 'a="b" ' * (SIZE // 6),
    "header": "### Q !" + " " * SIZE + "x",
    "header spaces": "### Q" + " " * SIZE + "x",
    "backticks": "`" * SIZE + "\n",
    "code openers": "```a\n~~~b\n" * (SIZE // 10),
    "comments": "::instruction::\n" + "<!--" * (SIZE // 4),
    "comment pairs": "::instruction::\n" + "<!-- -->" * (SIZE // 8) + "\n### Q\na\n### A\nb\n",
    "blank": "\n" * SIZE,
    "spaces": " " * SIZE,
    "backslashes": "\\" * SIZE + "::",
    "one line": "x" * SIZE,
    "trailing spaces": ("x" + " " * 1000 + "\n") * (SIZE // 1000),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_text_is_read_soon(name: str) -> None:
    start = time.process_time()
    try:
        document = parse_text(HEAD + AWKWARD[name])
        for section in document.sections:
            assert section.section_id
            assert section.pairs is section.pairs
            assert unescape_body(escape_body(section.text)) == section.text
    except DocumentError:
        pass
    assert time.process_time() - start < 3


def test_importing_the_document_layer_pulls_in_no_model_library() -> None:
    probe = (
        "import sys, dlm.doc.parser, dlm.doc.render, dlm.doc.migrations, "
        "dlm.data.instruction_parser, dlm.data.preference_parser; "
        "print([m for m in ('torch', 'transformers', 'numpy', 'ruamel.yaml') if m in sys.modules])"
    )
    output = subprocess.check_output([sys.executable, "-c", probe], text=True)
    assert output == "[]\n"
