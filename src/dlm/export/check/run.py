"""Checking an export: every program that is here and can load it is asked the same questions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlm.errors import BaseModelError, DlmError
from dlm.export.check.llama_cpp_runner import llama_cpp_is_here, run_llama_cpp
from dlm.export.check.questions import Runner, Verdict, ask_store, compare
from dlm.export.check.transformers_runner import run_adapter, run_folder, run_gguf
from dlm.export.gguf.model import write_gguf
from dlm.export.huggingface import ADAPTER_FOLDER, MERGED_FOLDER, TEMPLATE_FILE
from dlm.export.ollama import MODELFILE, Modelfile
from dlm.export.source import Source
from dlm.export.targets import Target
from dlm.export.weights import Precision


@dataclass(frozen=True, slots=True)
class Checked:
    """What was asked, in words, and what each program answered."""

    what: str
    verdicts: tuple[Verdict, ...]

    @property
    def same(self) -> bool:
        return not any(verdict.differences for verdict in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        return {
            "asked": self.what,
            "same": self.same,
            "verdicts": [one.to_json() for one in self.verdicts],
        }


def check_export(
    source: Source, target: Target, folder: Path, say: Callable[[str], None]
) -> Checked:
    """Ask the export in `folder` what the document's probes ask, and compare with the store.

    Raises DlmError when there is nothing to ask or the export does not load.
    """
    sheet = ask_store(source)
    say(f"asking {source.version.name} and the export {len(sheet.asked)} {sheet.what} …")
    verdicts = tuple(compare(runner, sheet) for runner in _runners(source, target, folder, say))
    return Checked(sheet.what, verdicts)


def _runners(
    source: Source, target: Target, folder: Path, say: Callable[[str], None]
) -> Iterator[Runner]:
    """Every program that is here and loads the export."""
    if target is Target.PEFT or (target is Target.VLLM and (folder / ADAPTER_FOLDER).is_dir()):
        yield run_adapter(source, folder / ADAPTER_FOLDER if target is Target.VLLM else folder)
    elif target in (Target.MERGED, Target.VLLM):
        yield run_folder(source, folder / MERGED_FOLDER if target is Target.VLLM else folder)
    elif target is Target.GGUF_ADAPTER:
        yield from _run_gguf_adapter(source, folder)
    else:
        modelfile = Modelfile.read(folder / MODELFILE) if target is Target.OLLAMA else None
        (file,) = folder.glob("*.gguf")
        try:
            yield run_gguf(source, file, modelfile)
        except BaseModelError as error:
            # It reads fewer builds of models than are written; llama.cpp reads them all.
            if not llama_cpp_is_here():
                raise
            say(f"note: {error.message}")
        if llama_cpp_is_here():
            yield run_llama_cpp(file, modelfile)


def _run_gguf_adapter(source: Source, folder: Path) -> Iterator[Runner]:
    """The adapter on a file of the base that is made for this and removed again."""
    if not llama_cpp_is_here():
        raise DlmError(
            "an adapter as GGUF can only be checked with llama.cpp, which is not here",
            hint="pip install 'dlm[llama-cpp]', or check --target gguf instead",
        )
    (adapter,) = folder.glob("*.gguf")
    template = (folder / TEMPLATE_FILE).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as work:
        base = Path(work) / "base.gguf"
        write_gguf(source, base, Precision.F32, bare=True)
        yield run_llama_cpp(base, None, adapter=adapter, template=template)
