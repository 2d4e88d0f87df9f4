"""How long a whole process takes to answer with the embedded base: natively, and with transformers.

Run it with `uv run python benchmarks/prompt_start.py`; it prints the median of three runs each.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import dlm

POCKET = Path(dlm.__file__).parent / "base_models" / "pocket"
RUNS = 3

NATIVE = """
import sys
from pathlib import Path
from dlm.data.chat import Codec
from dlm.engine.native import NativeEngine
folder = Path(sys.argv[1])
codec = Codec.load(folder)
ids = codec.prompt_ids([{"role": "user", "content": "What is a lighthouse?"}])
print(codec.decode(NativeEngine.load(folder).generate(ids, max_new_tokens=20)))
"""

TRANSFORMERS = """
import sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
messages = [{"role": "user", "content": "What is a lighthouse?"}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")
output = model.generate(**inputs, max_new_tokens=20, min_new_tokens=20, do_sample=False,
                        eos_token_id=None, pad_token_id=tokenizer.pad_token_id)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""


def main() -> None:
    """Print the table, and say so if the two do not give the same answer."""
    answers = []
    print(f"{'engine':<14}{'seconds':>9}{'fastest':>9}{'slowest':>9}")
    for name, script in (("native", NATIVE), ("transformers", TRANSFORMERS)):
        runs = [_run(script) for _ in range(RUNS)]
        times = [seconds for seconds, _ in runs]
        answers.append(runs[0][1])
        middle = statistics.median(times)
        print(f"{name:<14}{middle:>9.2f}{min(times):>9.2f}{max(times):>9.2f}")
    if answers[0] != answers[1]:
        sys.exit(f"the answers differ: {answers}")


def _run(script: str) -> tuple[float, str]:
    """Seconds from start to end of one new process, and what it printed."""
    start = time.perf_counter()
    command = [sys.executable, "-c", script, str(POCKET)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout


if __name__ == "__main__":
    main()
