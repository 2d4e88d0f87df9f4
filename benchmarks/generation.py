"""Pairs a minute that the local engine writes for a document: one by one, and in batches.

Run it with `uv run python benchmarks/generation.py [--completions 4] [--greedy-in bfloat16]
[document.dlm …]`; the model is the first document's, the passages are the paragraphs of all. The
ways are taken in turn in one process, so that whatever else the machine does weighs on all, and
processor time stands beside the clock's. It then says how many greedy answers differ between batch
sizes.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.engine.decoding import Job, Tail, decode
from dlm.engine.resident import Resident

SYSTEM = "You write training data from a passage."
PROMPT = (
    "Write 1 question-and-answer pair that the passage answers directly. "
    "Use only facts from the passage.\n\nPassage:\n"
)
EXAMPLES = Path(__file__).parent.parent / "examples"
ROUNDS = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("documents", nargs="*", default=sorted(map(str, EXAMPLES.glob("*.dlm"))))
    parser.add_argument("--completions", type=int, default=4, help="of each paragraph")
    parser.add_argument("--greedy-in", choices=["float32", "bfloat16"], default="float32")
    options = parser.parse_args()
    documents = [parse_file(path) for path in options.documents]
    with Resident.open(documents[0]) as resident:
        jobs = _jobs(documents, resident, options.completions)
        some = [replace(job, n=1) for job in jobs[:6]]
        singly = [replace(job, key=f"{job.key}{k}") for job in some for k in range(2)]
        _run(resident, some[:1], 1)
        ways: dict[str, Callable[[], tuple[int, int]]] = {
            "one by one (library)": lambda: _library(resident, singly),
            "one by one": lambda: _run(resident, singly, 1),
            "in batches": lambda: _run(resident, jobs, None),
        }
        print(f"{len(jobs)} paragraphs, {options.completions} completions each, {_name(resident)}")
        rates = _measure(ways)
        print(f"{'':<22}{'a minute':>10}{'a processor minute':>20}{'tokens a second':>17}")
        for name, (clock, processor, tokens) in rates.items():
            print(f"{name:<22}{clock:>10.0f}{processor:>20.0f}{tokens:>17.0f}")
        ratios = (rates["in batches"][i] / rates["one by one (library)"][i] for i in (0, 1))
        print("ratio {:.1f}, by processor time {:.1f}".format(*ratios))
        resident.model.network.to(getattr(resident.model.torch, options.greedy_in))
        _compare(resident, [replace(job, n=1, temperature=0.0) for job in jobs])


def _measure(
    ways: dict[str, Callable[[], tuple[int, int]]],
) -> dict[str, tuple[float, float, float]]:
    """Completions a minute by the clock and by the processor, and tokens a second; medians."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            clock, processor = time.perf_counter(), time.process_time()
            completions, tokens = way()
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            found[name].append(
                (60 * completions / clock, 60 * completions / processor, tokens / clock)
            )
    return {
        name: tuple(statistics.median(column) for column in zip(*rows, strict=True))  # type: ignore[misc]
        for name, rows in found.items()
    }


def _library(resident: Resident, jobs: Sequence[Job]) -> tuple[int, int]:
    """Each prompt by itself through transformers' own `generate`."""
    codec, torch, network = resident.codec, resident.model.torch, resident.model.network
    tokens = 0
    for number, job in enumerate(jobs):
        torch.manual_seed(number)
        ids = torch.tensor([list(job.ids)], device=resident.model.plan.device)
        drawn = {"temperature": job.temperature, "top_p": job.top_p, "top_k": 0}
        with resident.model.inference():
            whole = network.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=job.max_new_tokens,
                do_sample=job.temperature > 0,
                eos_token_id=sorted(codec.stop_ids),
                pad_token_id=codec.pad_id,
                **(drawn if job.temperature > 0 else {}),
            )
        tail = whole[0, len(job.ids) :].tolist()
        tokens += len(tail) - (tail[-1] in codec.stop_ids)
    return len(jobs), tokens


def _run(resident: Resident, jobs: Sequence[Job], rows: int | None) -> tuple[int, int]:
    tails = [tail for some in _decode(resident, jobs, rows) for tail in some]
    return len(tails), sum(len(tail.ids) for tail in tails)


def _decode(resident: Resident, jobs: Sequence[Job], rows: int | None) -> list[list[Tail]]:
    found: dict[int, list[Tail]] = {}
    with contextlib.nullcontext() if resident.version else resident.model.base_only():
        decode(
            resident.model,
            jobs,
            stop_ids=resident.codec.stop_ids,
            pad_id=resident.codec.pad_id,
            done=found.__setitem__,
            rows_per_batch=rows,
        )
    return [found[index] for index in range(len(jobs))]


def _compare(resident: Resident, jobs: Sequence[Job]) -> None:
    alone = _decode(resident, jobs, 1)
    for rows in (2, 7, None):
        differ = sum(a != b for a, b in zip(alone, _decode(resident, jobs, rows), strict=True))
        size = f"{rows} rows" if rows else "all rows"
        print(f"greedy, {size} together: {differ} of {len(jobs)} answers differ from those alone")


def _jobs(documents: Sequence[Document], resident: Resident, n: int) -> list[Job]:
    texts = [s.text for document in documents for s in document.sections if s.type == "prose"]
    paragraphs = [p.strip() for text in texts for p in text.split("\n\n") if len(p) > 80]
    jobs = []
    for number, paragraph in enumerate(paragraphs):
        ids = resident.codec.prompt_ids(
            [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": PROMPT + paragraph},
            ]
        )
        jobs.append(Job(ids, n, 96, 0.7, 0.9, str(number)))
    return jobs


def _name(resident: Resident) -> str:
    version = resident.version.name if resident.version else "no adapter"
    return f"{resident.base.key}, {version}, {resident.model.plan.device}"


if __name__ == "__main__":
    main()
