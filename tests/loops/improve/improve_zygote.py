"""A process that has imported all that is heavy, and forks one that improves for each line read.

A line is JSON: `path`, `home` and `options`. The new process kills itself at the first durable step
that is in `die_at`, and with `die_after` so many seconds after it began. With
`lenient` a verdict that is not met promotes too: so few steps teach too little to be sure of. With
`train` the document is only trained from the base. The answer is a line too: `status`, and as
`result` what came of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any


def main() -> None:
    from trl import SFTTrainer  # noqa: F401

    import dlm.loops.improve.run

    print(json.dumps({"ready": dlm.loops.improve.run.__name__}), flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            os._exit(_child(told, writer))
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            result = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"status": status, "result": result.decode() or None}), flush=True)


def _child(told: dict[str, Any], writer: int) -> int:
    from dlm.doc.parser import parse_file
    from dlm.errors import DlmError
    from dlm.loops.improve import round as of_a_round
    from dlm.loops.improve.options import ImproveOptions
    from dlm.loops.improve.run import improve
    from dlm.train.options import Progress, TrainOptions
    from dlm.train.run import train

    if told["lenient"]:
        strict = of_a_round.judge
        of_a_round.judge = lambda *sides, **bounds: replace(strict(*sides, **bounds), promote=True)
    os.environ["DLM_HOME"] = told["home"]
    if told["die_after"]:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, told["die_after"])
    steps: list[str] = []

    def checkpoint(step: str) -> None:
        steps.append(step)
        if step in told["die_at"]:
            os.write(writer, json.dumps({"died": step}).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        if told["train"]:
            options = TrainOptions(fresh=True, max_steps=told["options"]["max_steps"])
            train(parse_file(Path(told["path"])), options, Progress())
            return 0
        done = improve(Path(told["path"]), ImproveOptions(**told["options"]), checkpoint=checkpoint)
    except DlmError as error:
        os.write(writer, json.dumps({"error": str(error)}).encode())
        return 1
    except BaseException:
        traceback.print_exc()
        return 2
    facts = {
        "outcome": done.outcome,
        "ended": done.ended,
        "current": done.current,
        "teacher": done.teacher.spec if done.teacher else None,
        "rounds": [one.to_json() for one in done.rounds],
        "steps": steps,
    }
    os.write(writer, json.dumps(facts).encode())
    return 0


if __name__ == "__main__":
    main()
