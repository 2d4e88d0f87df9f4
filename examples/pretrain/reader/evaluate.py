"""What a reader answers from notes it never saw, and what it still says by itself.

    python examples/pretrain/reader/evaluate.py --base DIR [--adapter DIR] FILE.dlm…

Beside each document stands its `.eval.jsonl` (question, kind, keys). Each question is asked with
the four passages that are found for it; questions of the other documents are those that the notes
do not answer. Everyday questions are asked without notes.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from lessons import DECLINED, READ, notes
from transformers import AutoModelForCausalLM, AutoTokenizer

from dlm.doc.parser import parse_file
from dlm.index import Index

EVERYDAY = (
    ("What is the capital of France?", "Paris"),
    ("What is the capital of Portugal?", "Lisbon"),
    ("How many days are in a week?", "seven"),
    ("How many legs does a dog have?", "four"),
    ("What colour is grass?", "green"),
    ("What do cows drink?", "water"),
    ("Which planet do we live on?", "Earth"),
    ("What is 2 plus 2?", "4"),
    ("What is the opposite of cold?", "hot"),
    ("Which animal barks?", "dog"),
    ("Who wrote Hamlet?", "Shakespeare"),
    ("What is frozen water called?", "ice"),
    ("How many months are in a year?", "12"),
    ("What is the largest ocean?", "Pacific"),
    ("What do bees make?", "honey"),
    ("In which country is Berlin?", "Germany"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--show", action="store_true", help="print what went wrong")
    parser.add_argument("documents", type=Path, nargs="+")
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.base, padding_side="left")
    model: Any = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.bfloat16)
    if options.adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, options.adapter).merge_and_unload()
    asked = _everyday() + _from_notes(options.documents)
    answers = generate(model, tokenizer, [prompt for prompt, *_ in asked])
    right: dict[str, list[bool]] = defaultdict(list)
    refused: dict[str, list[bool]] = defaultdict(list)
    for (_, kind, question, keys, shown), answer in zip(asked, answers, strict=True):
        declined = answer.startswith(DECLINED[:12])
        good = declined if kind == "absent" else any(k.lower() in answer.lower() for k in keys)
        right[kind].append(good)
        refused[kind].append(declined)
        if options.show and not good:
            print(f"{kind}{'' if shown else ' (not among the passages)'}: {question}\n  {answer}")
    for kind, hits in right.items():
        print(f"{kind:<11} right {sum(hits)}/{len(hits)}, declined {sum(refused[kind])}")


def _everyday() -> list[tuple[list[dict[str, str]], str, str, list[str], bool]]:
    return [([{"role": "user", "content": q}], "everyday", q, [k], True) for q, k in EVERYDAY]


def _from_notes(
    documents: list[Path],
) -> list[tuple[list[dict[str, str]], str, str, list[str], bool]]:
    made = []
    questions = {path: _questions(path) for path in documents}
    for path in documents:
        index = Index(parse_file(path))
        others = [q for other in documents if other != path for q in questions[other]]
        absent = [{**q, "kind": "absent"} for q in others if q["kind"] == "prose"]
        for item in [*questions[path], *absent]:
            found = [one.passage.text for one in reversed(index.search(item["question"]))]
            messages = [
                {"role": "system", "content": READ},
                {"role": "user", "content": notes(found) + item["question"]},
            ]
            held = any(k.lower() in text.lower() for k in item["key"] for text in found)
            made.append((messages, item["kind"], item["question"], item["key"], held))
    return made


def _questions(path: Path) -> list[dict[str, Any]]:
    lines = path.with_suffix(".eval.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def generate(model: Any, tokenizer: Any, chats: list[list[dict[str, str]]]) -> list[str]:
    """Greedy answers of at most 60 tokens, 16 at a time."""
    texts = [
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        for chat in chats
    ]
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    answers = [""] * len(texts)
    for start in range(0, len(order), 16):
        places = order[start : start + 16]
        batch = tokenizer([texts[at] for at in places], return_tensors="pt", padding=True)
        with torch.inference_mode():
            made = model.generate(
                **batch,
                max_new_tokens=60,
                do_sample=False,
                eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
            )
        for at, ids in zip(places, made[:, batch["input_ids"].shape[1] :], strict=True):
            answers[at] = tokenizer.decode(ids, skip_special_tokens=True).strip()
    return answers


if __name__ == "__main__":
    main()
