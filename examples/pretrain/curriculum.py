"""Tokenise a corpus and make conversations of it by rule, on all CPU cores: no GPU is needed.

    python examples/pretrain/curriculum.py --corpus DIR --tokenizer DIR --out DIR [--passes 2]

OUT gets the streams `plain`, `chat` and `echo`, `held_out_plain` and `held_out_chat` from texts
that no other stream holds, and `curriculum.json`, which says what is in them. The same corpus,
tokenizer and seed give the same bytes, whatever the number of processes.
"""

from __future__ import annotations

import argparse
import os
import random
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path

from recipe.command import Clock, empty_folder, run, write_json
from recipe.corpus import Text, read
from recipe.english import Lexicon
from recipe.lessons import MOST_REPEATS, SHARES
from recipe.shards import Packed, write_stream
from recipe.workers import Made, count_words, make, pieces, process_map

MOST_FICTION = 0.2  # of the characters of plain text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder of shards")
    parser.add_argument("--tokenizer", type=Path, required=True, help="what tokenizer.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--passes", type=int, default=2, help="of drawing questions (default 2)")
    parser.add_argument("--chat-tokens", type=float, default=120e6, help="at most (default 120e6)")
    parser.add_argument("--longest", type=int, default=1000, help="tokens of a conversation")
    parser.add_argument("--documents", type=int, help="take only so many, evenly spread")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clock = Clock()
    out = empty_folder(options.out, "curriculum.py")
    texts = _spread(list(read(options.corpus)), options.documents)
    training, held_out = _chosen(texts, options.seed)
    clock.say(f"{len(training)} documents to train on, {len(held_out)} held out")
    jobs = pieces(training, options.passes, options.seed)
    with process_map(options.workers) as apply:
        lexicon = Lexicon()
        for counted in apply(count_words, jobs[::3]):
            lexicon.add(counted)
        lexicon = lexicon.without_rare()
        clock.say("words counted")
        work = partial(
            make, tokenizer_folder=options.tokenizer, lexicon=lexicon, longest=options.longest
        )
        made = list(apply(work, jobs))
        clock.say("tokenised")
        kept_back = list(apply(work, pieces(held_out, 1, options.seed)))
    rng = random.Random(options.seed)
    chat, tasks = _balanced(made, options.chat_tokens, rng)
    plain = [one for piece in made for one in piece.plain]
    sizes = {
        "plain": write_stream(out / "plain", plain),
        "chat": write_stream(out / "chat", chat),
        "echo": write_stream(out / "echo", (one for piece in made for one in piece.echo)),
    }
    held_out_chat = [one for piece in kept_back for _, one in piece.chat]
    rng.shuffle(held_out_chat)
    held_out_plain = [one for piece in kept_back for one in piece.plain]
    sizes["held_out_plain"] = write_stream(out / "held_out_plain", held_out_plain)
    sizes["held_out_chat"] = write_stream(out / "held_out_chat", held_out_chat)
    summary = {
        "tokens": sizes,
        "fiction_share_of_plain": round(_fiction_share(training), 4),
        "documents": len(training),
        "sources": dict(sorted(Counter(text.source for text in training).items())),
        "passes": options.passes,
        "seed": options.seed,
        "tasks": tasks,
    }
    write_json(out / "curriculum.json", summary)
    clock.say(", ".join(f"{name} {size / 1e6:.1f}M tokens" for name, size in sizes.items()))
    print(out)


def _spread(texts: list[Text], most: int | None) -> list[Text]:
    if most is None or most >= len(texts):
        return texts
    return [texts[number * len(texts) // most] for number in range(most)]


def _chosen(texts: list[Text], seed: int) -> tuple[list[Text], list[Text]]:
    """Training and held-out documents; fiction beyond its share is left out of both, at random."""
    order = list(texts)
    random.Random(seed).shuffle(order)
    room = (
        MOST_FICTION
        / (1 - MOST_FICTION)
        * sum(len(text.text) for text in texts if text.kind in ("prose", "glossary"))
    )
    kept: list[Text] = []
    for text in order:
        if text.kind == "fiction":
            if len(text.text) > room:
                continue
            room -= len(text.text)
        kept.append(text)
    held_out = [text for text in kept if text.held_out]
    return [text for text in kept if not text.held_out], held_out


def _fiction_share(texts: list[Text]) -> float:
    fiction = sum(len(text.text) for text in texts if text.kind == "fiction")
    return fiction / max(1, sum(len(text.text) for text in texts if text.kind != "dialog"))


def _balanced(
    made: list[Made], most: float, rng: random.Random
) -> tuple[list[Packed], dict[str, dict[str, int]]]:
    """Conversations up to the share of their task in `most` tokens; few ones up to three times."""
    by_task: dict[str, list[Packed]] = defaultdict(list)
    for piece in made:
        for task, one in piece.chat:
            by_task[task].append(one)
    available = sum(len(one[0]) for found in by_task.values() for one in found)
    whole = min(most, available)
    chosen: list[Packed] = []
    report: dict[str, dict[str, int]] = {}
    for task, share in SHARES.items():
        found = by_task[task]
        rng.shuffle(found)
        taken: list[Packed] = []
        size = 0
        for one in found * MOST_REPEATS:
            if size >= share * whole:
                break
            taken.append(one)
            size += len(one[0])
        chosen += taken
        report[task] = {"made": len(found), "taken": len(taken), "tokens": size}
    rng.shuffle(chosen)
    return chosen, report


if __name__ == "__main__":
    run(main)
