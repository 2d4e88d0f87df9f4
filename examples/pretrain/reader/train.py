"""Train the reader: a LoRA adapter that teaches a base to read notes, to decline, to write.

    python examples/pretrain/reader/train.py --base DIR --questions DIR --samples FILE --out DIR

Goes on from the last checkpoint in OUT. Packs share their beginning: one pass over the notes serves
all questions on them, each seeing the notes and itself alone (a block mask and own positions).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent))

import torch
from facts import fact_packs
from lessons import Pack, general_packs, packs_of, passages_of
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

_LONGEST = 900  # tokens of a pack
_TOKENS = 1600  # of a step, about
_PACKS = 3  # of a forward pass
_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sequence (T,): ids, positions, branch numbers, and targets with -100 where unasked."""

    ids: torch.Tensor
    positions: torch.Tensor
    branch: torch.Tensor
    targets: torch.Tensor


def encode(pack: Pack, tokenizer) -> Encoded | None:
    """The pack as one sequence; None where it is too long."""
    mark = "\x00"
    messages = [{"role": "user", "content": pack.opening + mark}]
    if pack.system is not None:
        messages.insert(0, {"role": "system", "content": pack.system})
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    before, after = text.split(mark)
    ids = tokenizer(before, add_special_tokens=False)["input_ids"]
    positions, branch, targets = list(range(len(ids))), [0] * len(ids), [-100] * len(ids)
    start = len(ids)
    for number, (question, answer) in enumerate(pack.branches, 1):
        asked = tokenizer(question + after, add_special_tokens=False)["input_ids"]
        said = tokenizer(answer + "<|im_end|>", add_special_tokens=False)["input_ids"]
        ids += asked + said
        positions += range(start, start + len(asked) + len(said))
        branch += [number] * (len(asked) + len(said))
        targets += [-100] * len(asked) + said
    if len(ids) > _LONGEST:
        return None
    # Within a branch the next token is the next place; the last of a branch predicts nothing.
    shifted = [*targets[1:], -100]
    shifted = [
        t if b == c else -100 for t, b, c in zip(shifted, branch, [*branch[1:], -1], strict=True)
    ]
    return Encoded(*(torch.tensor(x) for x in (ids, positions, branch, shifted)))


def padded(batch: list[Encoded]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """ids and positions (B, T), targets (B, T), and the additive mask (B, 1, T, T).

    A token sees the beginning of its pack and its own branch, never the future.
    """
    pad = torch.nn.utils.rnn.pad_sequence
    ids = pad([one.ids for one in batch], batch_first=True, padding_value=2)
    positions = pad([one.positions for one in batch], batch_first=True)
    targets = pad([one.targets for one in batch], batch_first=True, padding_value=-100)
    branch = pad([one.branch for one in batch], batch_first=True, padding_value=-1)
    rows, columns = branch[:, :, None], branch[:, None, :]
    seen = ((columns == 0) | (columns == rows)).tril()
    low = torch.finfo(torch.bfloat16).min
    mask = torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill(~seen, low)
    return ids, positions, targets, mask[:, None]


def micro_batches(batch: list[Encoded]) -> Iterator[list[Encoded]]:
    """The packs of a step, shortest first, a few at a time."""
    ordered = sorted(batch, key=lambda one: len(one.ids))
    for start in range(0, len(ordered), _PACKS):
        yield ordered[start : start + _PACKS]


def packs(options: argparse.Namespace, epoch: int) -> Iterator[Pack]:
    """All packs of an epoch, shuffled: people's questions, invented notes, everyday answers."""
    rng = random.Random(f"{options.seed}:{epoch}")
    passages = passages_of(options.questions)
    wiki = [one for one in passages if one.text_id.startswith("x")]
    made = [*packs_of(passages, rng), *packs_of(wiki, rng), *packs_of(wiki, rng)]
    made += fact_packs(len(made) // 6, rng)
    for _ in range(3):
        made += general_packs(options.samples, rng)
    rng.shuffle(made)
    return iter(made)


def steps(options: argparse.Namespace, tokenizer) -> Iterator[list[Encoded]]:
    """Batches of about `_TOKENS` tokens, for ever, always in the same order."""
    epoch = 0
    while True:
        batch: list[Encoded] = []
        for pack in packs(options, epoch):
            one = encode(pack, tokenizer)
            if one is None:
                continue
            batch.append(one)
            if sum(len(e.ids) for e in batch) >= _TOKENS:
                yield batch
                batch = []
        epoch += 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument(
        "--questions", type=Path, required=True, help="xquad.en.json, fairytaleqa.jsonl.zst"
    )
    parser.add_argument("--samples", type=Path, required=True, help="what the base says by itself")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--lowest", type=int, default=6, help="the first layer that is adapted")
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=50, help="steps between checkpoints")
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.base)
    torch.manual_seed(options.seed)
    base = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.bfloat16)
    last = options.out / "last"
    if last.exists():
        model = PeftModel.from_pretrained(base, last, is_trainable=True)
    else:
        shape = LoraConfig(
            r=options.rank,
            lora_alpha=2 * options.rank,
            target_modules=_LINEAR,
            layers_to_transform=list(range(options.lowest, base.config.num_hidden_layers)),
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(base, shape)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=options.rate, weight_decay=0.0)
    done = 0
    if (last / "state.pt").exists():
        state = torch.load(last / "state.pt", weights_only=True)
        optimizer.load_state_dict(state["optimizer"])
        done = state["step"]
    model.train()
    started, tokens, losses = time.monotonic(), 0, []
    for number, batch in enumerate(steps(options, tokenizer), 1):
        if number <= done:
            continue
        if number > options.steps:
            break
        rate = options.rate * min(1.0, number / 20) * max(0.05, 1 - number / options.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        asked = sum(int((one.targets != -100).sum()) for one in batch)
        total = 0.0
        for few in micro_batches(batch):
            ids, positions, targets, mask = padded(few)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                hidden = (
                    model.get_base_model()
                    .model(
                        input_ids=ids,
                        attention_mask=mask,
                        position_ids=positions,
                        use_cache=False,
                    )
                    .last_hidden_state
                )
                kept = targets != -100
                logits = model.get_base_model().lm_head(hidden[kept])
            loss = torch.nn.functional.cross_entropy(logits.float(), targets[kept], reduction="sum")
            (loss / asked).backward()
            total += loss.item()
        tokens += sum(len(one.ids) for one in batch)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total / asked)
        if number % 10 == 0:
            speed = tokens / (time.monotonic() - started)
            print(
                f"{number} loss {sum(losses[-10:]) / 10:.3f} lr {rate:.1e} {speed:.0f} tokens/s",
                flush=True,
            )
            if not math.isfinite(losses[-1]):
                raise SystemExit("the loss is not finite")
        if number % options.every == 0 or number == options.steps:
            save(model, optimizer, number, options.out)


def save(model, optimizer, number: int, out: Path) -> None:
    """The adapter and what it takes to go on; replaced whole."""
    new = out / "new"
    model.save_pretrained(new)
    torch.save({"optimizer": optimizer.state_dict(), "step": number}, new / "state.pt")
    (new / "step.json").write_text(json.dumps({"step": number}))
    old = out / "old"
    if (out / "last").exists():
        (out / "last").rename(old)
    new.rename(out / "last")
    for path in sorted(old.glob("*")) if old.exists() else ():
        path.unlink()
    if old.exists():
        old.rmdir()


if __name__ == "__main__":
    main()
