"""A process that has imported all that is heavy, and forks one that improves for each line read.

A line is JSON: `path`, `home`, `options`, and `die_at`, the durable step, from 1, at which the new
process kills itself, or `die_after`, the seconds after which it is killed; 0 for neither. The
answer is a line too: `status`, and as `result` what `improve` returned.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
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
    from dlm.errors import DlmError
    from dlm.loops.improve.options import ImproveOptions
    from dlm.loops.improve.run import improve

    os.environ["DLM_HOME"] = told["home"]
    if told["die_after"]:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, told["die_after"])
    steps: list[str] = []

    def checkpoint(step: str) -> None:
        steps.append(step)
        if len(steps) == told["die_at"]:
            os.write(writer, json.dumps({"died": step}).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    try:
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
