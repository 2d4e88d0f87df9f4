"""What a base writes by itself, rehearsed so that an adapter keeps what the base could do.

Taken once per base with no adapter, and kept; the bases that dlm brings ship with their own. A
small base goes on with texts and writes pairs and requests at some temperature; a larger one with a
chat template answers everyday prompts as it would answer them. That
samples of the model itself serve as replay is from "Forgetting in Language Models: Capacity,
Optimization, and Self-Generated Replay" (Marek et al., 2026).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dlm.base_models import BaseModel
from dlm.base_models.folder import fingerprint
from dlm.data.chat import Codec, Encoded
from dlm.data.general import everyday_prompts, rehearsal_texts
from dlm.data.lessons import Lesson, Role
from dlm.data.rows import Row, RowKind
from dlm.engine.decoding import generate
from dlm.engine.model import Model
from dlm.errors import DlmError
from dlm.files import home, write_atomic
from dlm.hardware import detect, plan_answers
from dlm.train.recipe import recipe_of

SHIPPED = "samples.jsonl.gz"
BASE = "base"  # the origin of such rows

_COUNT = 240
_MAX_TOKENS = 72
_TEMPERATURE = 0.8
SAMPLE_LENGTH = 160  # tokens a row
_QUESTION = re.compile(r"### Q\n([^\n]{8,160}\?)\s*\n### A\n")
_REQUESTS = (
    "Write 1 question-and-answer pair(s) that the passage answers directly. "
    "Use only facts from the passage.\n\nPassage:\n{0}",
    "Write the request that this text answers. Do not quote it.\n\nText:\n{0}",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the base wrote: after `prompt` as a chat turn, or after `beginning` as plain text."""

    text: str
    prompt: str | None = None
    beginning: str = ""


def samples_of(folder: Path) -> tuple[Sample, ...] | None:
    """The samples that ship with a base or were taken here; None where there are none yet."""
    mark = fingerprint(folder)
    for path in (folder / SHIPPED, _kept(mark)):
        if path.is_file() and (found := _read(path, mark)) is not None:
            return found
    return None


def take_samples(base: BaseModel, folder: Path) -> tuple[Sample, ...]:
    """Let the base write, without an adapter, and keep what it wrote beside the stores."""
    codec = Codec.load(folder)
    model = Model.load(folder, plan_answers(detect(), base))
    if recipe_of(base).everyday and codec.has_template:
        samples = tuple(
            _write(model, codec, [Sample("", prompt=one) for one in everyday_prompts()])
        )
    else:
        samples = _of_texts(model, codec)
    mark = fingerprint(folder)
    path = _kept(mark)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(path, encoded(samples, mark))
    except (OSError, DlmError):
        pass  # They serve this run; the next one takes the same again.
    return samples


def encoded(samples: Sequence[Sample], mark: str) -> bytes:
    """The file that keeps samples: the fingerprint of their base, then one a line, compressed."""
    lines = [json.dumps({"base": mark}), *(json.dumps(asdict(one)) for one in samples)]
    return gzip.compress("\n".join(lines).encode(), mtime=0)


def sample_rows(samples: Sequence[Sample], codec: Codec) -> list[Row]:
    """One general row a sample; loss on what the base wrote, not on what it was given."""
    rows = []
    for one in samples:
        if one.prompt is None:
            row = codec.prose(f"{one.beginning} {one.text}", ends=False)
        else:
            row = codec.pair(one.prompt, one.text)
        cut = Encoded(row.ids[:SAMPLE_LENGTH], row.supervised[:SAMPLE_LENGTH])
        if any(cut.supervised[1:]):
            written = Lesson(one.text, one.prompt or "", origin=BASE, role=Role.REHEARSE)
            rows.append(Row.of(RowKind.GENERAL, cut, written))
    return rows


def _of_texts(model: Model, codec: Codec) -> tuple[Sample, ...]:
    """What it makes of texts, and its answers to the questions that are among them."""
    texts = _requests(rehearsal_texts()[-_COUNT:])
    written = _write(model, codec, texts, temperature=_TEMPERATURE)
    questions = {question: None for one in written for question in _QUESTION.findall(one.text)}
    asked = [Sample("", prompt=one) for one in questions]
    return (*written, *_write(model, codec, asked, temperature=_TEMPERATURE))


def _write(
    model: Model, codec: Codec, asked: Sequence[Sample], *, temperature: float = 0.0
) -> list[Sample]:
    """What the base answers, without the empty answers."""
    written = generate(
        model,
        [_prompt(codec, one) for one in asked],
        max_new_tokens=_MAX_TOKENS,
        stop_ids=codec.stop_ids,
        pad_id=codec.pad_id,
        temperature=temperature,
        seed=0,
    )
    texts = (codec.decode(ids).strip() for ids in written)
    return [
        Sample(text, one.prompt, one.beginning)
        for one, text in zip(asked, texts, strict=True)
        if text
    ]


def _requests(texts: Sequence[str]) -> list[Sample]:
    """A third each: go on with a text, write a pair from it, write the request it answers."""
    asked = []
    for number, text in enumerate(texts):
        kind = number % 3
        words = text.split()
        if kind == 2:
            asked.append(Sample("", beginning=" ".join(words[: max(6, len(words) // 3)])))
        else:
            asked.append(Sample("", prompt=_REQUESTS[kind].format(" ".join(words[:60]))))
    return asked


def _prompt(codec: Codec, one: Sample) -> list[int]:
    if one.prompt is not None:
        return codec.prompt_ids([{"role": "user", "content": one.prompt}])
    return codec.prose(one.beginning, ends=False).ids


def _kept(mark: str) -> Path:
    return home() / "samples" / f"{mark[:32]}.jsonl.gz"


def _read(path: Path, mark: str) -> tuple[Sample, ...] | None:
    """The samples in a file, None when it is of another base or damaged."""
    try:
        first, *lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
        if json.loads(first) != {"base": mark}:
            return None
        return tuple(Sample(**json.loads(line)) for line in lines)
    except (OSError, EOFError, ValueError, TypeError, gzip.BadGzipFile):
        return None
