"""Train the byte-level BPE tokenizer of a base and write it as a Hugging Face folder.

    python examples/pretrain/tokenizer.py --corpus DIR --out DIR [--vocab 8192] [--context 2048]

Digits stand one by one, so that numbers are copied digit by digit. Held-out texts are not read.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from recipe.chat_format import SPECIAL, TEMPLATE
from recipe.command import Clock, empty_folder, run, write_json
from recipe.corpus import plain_text, read

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# What every prompt is made of should be few tokens, however rare it is in the corpus.
FORMS = (
    "### Q\nWhat is it?\n### A\nIt is one.\n",
    "system\nYou write training data from a passage.\nuser\nassistant\n",
    "Write the request that this text answers. Do not quote it.\n\nText:\n",
    "question-and-answer pair(s)\n\nPassage:\n",
    "Question: ",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder of shards")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--vocab", type=int, default=8192, help="entries (default 8192)")
    parser.add_argument("--context", type=int, default=2048, help="longest text of the model")
    parser.add_argument("--megabytes", type=float, default=40, help="text to learn from")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clock = Clock()
    folder = empty_folder(options.out, "tokenizer.py")
    texts = sample(options.corpus, options.megabytes, options.seed)
    clock.say(f"{len(texts)} texts, {sum(map(len, texts)) / 1e6:.1f} MB")
    tokenizer = train(texts, options.vocab)
    save(tokenizer, folder, options.context)
    some = texts[: max(1, len(texts) // 20)]
    tokens = sum(len(one.ids) for one in tokenizer.encode_batch(some))
    clock.say(f"{options.vocab} entries, {sum(map(len, some)) / tokens:.2f} characters a token")
    print(folder)


def sample(corpus: Path, megabytes: float, seed: int) -> list[str]:
    """Training texts drawn at random from the whole corpus, up to a size."""
    texts = [plain for text in read(corpus) if not text.held_out and (plain := plain_text(text))]
    random.Random(seed).shuffle(texts)
    taken: list[str] = []
    size = 0.0
    for text in texts:
        if size >= megabytes * 1e6:
            break
        taken.append(text)
        size += len(text)
    return taken


def train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE of `vocabulary` entries, fewer where the text gives no more."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, *FORMS * 50], trainer)
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path, context: int) -> None:
    """Write what transformers 4 and 5 both read."""
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(TEMPLATE, "utf-8")
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": "<|im_end|>",
            "pad_token": "<|pad|>",
            "additional_special_tokens": ["<|endoftext|>", "<|im_start|>"],
            "clean_up_tokenization_spaces": False,
            "model_max_length": context,
            "padding_side": "right",
        },
    )


if __name__ == "__main__":
    run(main)
