"""Write the model card of a base, with the attribution that its corpus asks for.

    python examples/pretrain/card.py --model DIR --data DIR --corpus DIR --name NAME
        [--figures FILE]

Every source of the training texts must have a row in a `SOURCES*.md` beside the shards, with its
licence; the rows of those that were used go into the card. `--figures` is a table of evaluate.py.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from recipe.command import run

from dlm.base_models.folder import count_parameters, read_json
from dlm.errors import DlmError
from dlm.files import write_atomic

_ROW = re.compile(r"^\| \[(?P<source>[^\]]+)\]\([^)]*\) \| (?P<licence>[^|]+?) \|.*$", re.MULTILINE)
_LINKS = {
    "CC BY-SA 4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC BY-SA 3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY 3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC BY 2.0": "https://creativecommons.org/licenses/by/2.0/",
    "OGL 3.0": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    "OGL 2.0": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/2/",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="gets README.md")
    parser.add_argument("--data", type=Path, required=True, help="what curriculum.py wrote")
    parser.add_argument("--corpus", type=Path, required=True, help="folder with SOURCES*.md")
    parser.add_argument("--name", required=True)
    parser.add_argument("--figures", type=Path, help="table.md of evaluate.py")
    parser.add_argument("--licence", default="cc-by-sa-4.0")
    options = parser.parse_args()
    made = read_json(options.data / "curriculum.json")
    figures = options.figures.read_text("utf-8") if options.figures else ""
    text = card(options.name, options.licence, options.model, made, rows(options.corpus), figures)
    write_atomic(options.model / "README.md", text.encode("utf-8"))
    print(options.model / "README.md")


def rows(corpus: Path) -> dict[str, re.Match[str]]:
    """The row of each source in the tables beside the shards."""
    tables = sorted(corpus.glob("SOURCES*.md"))
    found = (row for table in tables for row in _ROW.finditer(table.read_text("utf-8")))
    return {row["source"]: row for row in found}


def card(
    name: str,
    licence: str,
    model: Path,
    made: dict[str, Any],
    known: dict[str, re.Match[str]],
    figures: str,
) -> str:
    """The whole card. Raises DlmError where a source has no row, since its licence is unknown."""
    missing = sorted(set(made["sources"]) - set(known))
    if missing:
        raise DlmError(
            f"{missing[0]} has no row in a SOURCES table",
            hint="every source needs a row: | [name](address) | licence | version | …",
        )
    used = [known[source] for source in made["sources"]]
    config = json.loads((model / "config.json").read_bytes())
    front = f"---\nlicense: {licence}\nlanguage: en\npipeline_tag: text-generation\n---"
    head = f"""
# {name}

An English base model of {count_parameters(model) / 1e6:.1f} million parameters, made to be trained
further on one document with dlm. It was trained from scratch on openly licensed text, and on
conversations that rules made out of that text; no output of another model was used.

| | |
|---|---|
| architecture | Llama: {config["num_hidden_layers"]} layers, hidden size {config["hidden_size"]}, \
{config["num_attention_heads"]} heads, MLP {config["intermediate_size"]}, tied embeddings |
| context | {config["max_position_embeddings"]} tokens |
| tokenizer | byte-level BPE with {config["vocab_size"]} entries, digits one by one; ChatML |
| texts | {made["documents"]} documents, {made["tokens"]["plain"] / 1e6:.1f}M tokens, \
{made["fiction_share_of_plain"]:.0%} of them fiction |
| conversations | {made["tokens"]["chat"] / 1e6:.1f}M tokens |
"""
    parts = [front, head.strip()]
    if figures:
        parts.append(f"## Measured on held-out documents\n\n{figures.strip()}")
    parts.append(_corpus(used))
    return "\n\n".join(parts) + "\n"


def _corpus(used: list[re.Match[str]]) -> str:
    links = [
        f"[{name}]({link})"
        for name, link in _LINKS.items()
        if any(name in row["licence"] for row in used)
    ]
    table = "\n".join(row[0] for row in used)
    size = sum(float(row[0].strip("| ").split("|")[-1]) for row in used)
    return f"""## Corpus and attribution

{size:.1f} MB of text. The texts were adapted: markup, code blocks, tables, maths and repeated
paragraphs were removed, and quotes and dashes made plain. Keep this table with the model and with
what is made from it.
Licences that ask for attribution: {", ".join(links) or "none"}.

| source | licence | version | documents | MB |
|---|---|---|---:|---:|
{table}"""


if __name__ == "__main__":
    run(main)
