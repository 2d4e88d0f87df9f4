"""From what the owner writes (`--judge …`) to an open judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dlm.errors import JudgeError
from dlm.loops.judges.protocol import Judge

if TYPE_CHECKING:
    from dlm.engine.resident import Resident

KINDS: Final = {
    "sway": "the document's own base and adapter",
    "hf:<model>": "a reward model of the hub, or of a folder as in hf:./reward",
    "cli:<command>": "a program, run once a candidate",
}


def open_judge(spec: str, resident: Resident, *, timeout: float | None = None) -> Judge:
    """The judge that `spec` names; a program may take `timeout` seconds a candidate.

    Raises JudgeError or BaseModelError when there is none.
    """
    kind, _, rest = spec.strip().partition(":")
    if spec.strip() == "sway":
        from dlm.loops.judges.sway import SwayJudge

        return SwayJudge(resident)
    if kind == "cli":
        from dlm.loops.judges.command import TIMEOUT, CommandJudge

        return CommandJudge(rest, timeout=timeout or TIMEOUT)
    if kind == "hf" and rest:
        from dlm.engine.resident import RewardModel
        from dlm.loops.judges.reward import RewardJudge

        is_folder = rest.startswith(("./", "../", "~", "/"))
        return RewardJudge(RewardModel.load(rest if is_folder else spec.strip()), spec.strip())
    raise JudgeError(f"there is no judge {spec!r}", hint=f"known: {', '.join(KINDS)}")
