"""How long a document takes to parse, and how much memory: `uv run python benchmarks/parse.py`.

Every figure is of a process of its own; the time includes every pair and triple as strings.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

FRONTMATTER = "---\ndlm_id: 01HRZYQ2X0MB5K4VN7E9DNT5GH\nbase_model: smollm2-135m\n---\n"
SECTIONS = """
# Chapter {n}

Prose that a person wrote about matter {n}, on a line of quite the usual length,
and on a second one. It says nothing of any use, at some length.

- It lists what there is to list, which is not a lot,
- and then a little more, since lists of two are rare in documents such as this;
- a third item closes it.

A second paragraph follows the list. People who write of matters such as {n} tend to
write two paragraphs, the second of which takes back half of what the first one said,
and then adds a remark that would have gone well at the top. This one does the same.

```python
def chapter_{n}() -> str:
    ### Q
    return "a header and a fence inside code are text"
```

::instruction::
<!-- dlm-auto-synth: synth_teacher="self" synth_at="2026-04-23T20:00:00Z" run="r{n}" -->
### Q
What does chapter {n} say?
### A
Nothing of any use, at some length, and more of it where that came from,
as chapters with a number such as {n} are wont to. The second paragraph takes back
half of it:

1. what it said of matter {n} holds on weekdays,
2. what it said of lists holds of lists of three.
### Q !probe
Is there more to chapter {n}?
### A
There is not.
::

::preference::
### Prompt
Sum up chapter {n}.
### Chosen
It says nothing.
### Rejected
Chapter {n} is a long chapter, and what it says is nothing, which it says at length.
::
"""


def main() -> None:
    if len(sys.argv) == 2:
        measure(Path(sys.argv[1]))
        return
    print(f"{'size':>8} {'sections':>9} {'pairs':>8} {'seconds':>8} {'peak MiB':>9}")
    seconds: dict[int, float] = {}
    with TemporaryDirectory() as folder:
        for megabytes in (1, 10):
            path = Path(folder) / f"{megabytes}.dlm"
            path.write_text(document(megabytes * 1_000_000), encoding="utf-8", newline="")
            runs = [report(path) for _ in range(3)]
            sections, pairs, best, peak = min(runs, key=lambda run: run[2])
            seconds[megabytes] = best
            print(f"{megabytes:>5} MB {sections:>9.0f} {pairs:>8.0f} {best:>8.3f} {peak:>9.0f}")
    print(f"ten times the text takes {seconds[10] / seconds[1]:.1f} times as long")


def document(size: int) -> str:
    """A document of about `size` characters with many sections."""
    count = size // len(SECTIONS.format(n=10_000))
    return FRONTMATTER + "".join(SECTIONS.format(n=n) for n in range(count))


def report(path: Path) -> tuple[float, float, float, float]:
    """Sections, pairs, seconds and peak memory of one parse in a fresh process."""
    command = [sys.executable, __file__, str(path)]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    sections, pairs, seconds, peak = map(float, output.split())
    return sections, pairs, seconds, peak


def measure(path: Path) -> None:
    from dlm.doc.parser import parse_file, parse_text

    parse_text(FRONTMATTER)  # pays for the imports of the YAML library
    start = time.perf_counter()
    document = parse_file(path)
    pairs = sum(len(section.pairs) + len(section.triples) for section in document.sections)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mebibytes = peak / (2**20 if sys.platform == "darwin" else 2**10)
    print(len(document.sections), pairs, seconds, mebibytes)


if __name__ == "__main__":
    main()
