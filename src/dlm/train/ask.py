"""Puts the probes and the sealed exam to a freshly trained model, as a person would."""

from __future__ import annotations

from dataclasses import dataclass

from dlm.data.chat import Codec
from dlm.data.examples import Teaching
from dlm.engine.model import Model
from dlm.eval.answers import score_answer

_ENOUGH_F1 = 0.8
_MAX_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, what the model answered, and whether that comes up to the reference."""

    question: str
    answer: str
    reference: str
    line: int
    sealed: bool
    right: bool


def ask(model: Model, codec: Codec, teaching: Teaching) -> tuple[Asked, ...]:
    """Greedy answers to every `!probe` and `!exam` question; right from a token F1 of 0.8 on."""
    items = [*teaching.probes, *teaching.exam]
    prompts = [codec.prompt_ids([{"role": "user", "content": i.question or ""}]) for i in items]
    answers = model.generate(
        prompts, max_new_tokens=_MAX_TOKENS, stop_ids=codec.stop_ids, pad_id=codec.pad_id
    )
    asked = []
    for number, (item, ids) in enumerate(zip(items, answers, strict=True)):
        answer = codec.decode(ids).strip()
        score = score_answer(answer, item.text)
        asked.append(
            Asked(
                question=item.question or "",
                answer=answer,
                reference=item.text,
                line=item.line,
                sealed=number >= len(teaching.probes),
                right=score.exact or score.contains or score.f1 >= _ENOUGH_F1,
            )
        )
    return tuple(asked)
