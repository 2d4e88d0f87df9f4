"""What a trained version still knows of everyday things that its base answers by itself.

    uv run python benchmarks/everyday.py [--show] FILE.dlm…

`everyday.jsonl` holds questions, none of which is rehearsed in a training, and the words of which
one must be in a right answer. Base and current version are asked closed, greedily, for 48 tokens at
most; counted are those that the base answers right, and of these those that the version does.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from dlm.base_models import BaseModel, base_of
from dlm.base_models.locate import local_folder
from dlm.data.chat import Codec
from dlm.doc.parser import parse_file
from dlm.engine.decoding import generate
from dlm.engine.model import Model
from dlm.eval.answers import has_key
from dlm.hardware import detect, plan_answers
from dlm.store.store import open_store

_QUESTIONS = Path(__file__).with_suffix(".jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--show", action="store_true", help="print what was right and is not now")
    parser.add_argument("documents", type=Path, nargs="+")
    options = parser.parse_args()
    asked = [json.loads(line) for line in _QUESTIONS.read_text("utf-8").splitlines()]
    known: dict[Path, list[str]] = {}
    for path in options.documents:
        document = parse_file(path)
        base = base_of(document)
        folder = local_folder(base)
        if folder not in known:
            known[folder] = _answers(base, folder, asked, None)
        with open_store(document) as store:
            version = store.current()
        if version is None:
            print(f"{path.name}: not trained")
            continue
        now = _answers(base, folder, asked, version.path)
        pairs = list(zip(asked, known[folder], now, strict=True))
        own = [one for one in pairs if has_key(one[1], one[0]["key"])]
        kept = [one for one in own if has_key(one[2], one[0]["key"])]
        print(
            f"{path.name}: {len(kept)} of the {len(own)} that {base.key} answers, of {len(asked)}"
        )
        for item, was, is_now in own if options.show else ():
            if not has_key(is_now, item["key"]):
                print(f"  {item['question']}\n    {was!r}\n    {is_now!r}")


def _answers(
    base: BaseModel, folder: Path, asked: list[dict[str, object]], adapter: Path | None
) -> list[str]:
    codec = Codec.load(folder)
    model = Model.load(folder, plan_answers(detect(), base), adapter=adapter)
    prompts = [
        codec.prompt_ids([{"role": "user", "content": str(one["question"])}]) for one in asked
    ]
    ids = generate(model, prompts, max_new_tokens=48, stop_ids=codec.stop_ids, pad_id=codec.pad_id)
    return [codec.decode(one) for one in ids]


if __name__ == "__main__":
    sys.exit(main())
