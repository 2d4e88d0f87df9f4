"""Exports as transformers loads them: folders with a model or an adapter, and GGUF files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlm.engine.loading import load_adapter, load_base, load_gguf, prepare, start
from dlm.errors import BaseModelError
from dlm.export.check.questions import LONGEST, Reply
from dlm.export.gguf.reading import read_facts, read_shapes, tokenizer_of
from dlm.export.ollama import Modelfile
from dlm.export.source import Source
from dlm.hardware import Plan, detect, plan_answers


class TransformersRunner:
    """A network, and how the artefact's own files turn a question into a prompt and ids to text."""

    name = "transformers"

    def __init__(
        self,
        network: Any,
        torch: Any,
        *,
        prompt: Callable[[str], list[int]],
        text: Callable[[list[int]], str],
        ends: list[int],
        device: str,
    ) -> None:
        self._network, self._torch, self._device = network.to(device).eval(), torch, device
        self._prompt, self._text, self._ends = prompt, text, ends

    def ask(self, question: str) -> Reply:
        """The likeliest answer under the artefact's own template."""
        prompt = self._prompt(question)
        ids = self._torch.tensor([prompt], device=self._device)
        with self._torch.inference_mode():
            made = self._network.generate(
                input_ids=ids,
                attention_mask=self._torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=LONGEST,
                eos_token_id=self._ends or None,
                pad_token_id=(self._ends or [0])[0],
            )
        return Reply(tuple(prompt), self._text(made[0, len(prompt) :].tolist()))


def run_folder(source: Source, folder: Path) -> TransformersRunner:
    """A folder with a merged model."""
    torch, plan = _start(source)
    from transformers import GenerationConfig

    network = load_base(folder, plan, torch)
    generation = GenerationConfig.from_pretrained(str(folder))
    return _from_folder(network, torch, plan, folder, generation.eos_token_id)


def run_adapter(source: Source, folder: Path) -> TransformersRunner:
    """A folder with an adapter, on the base that it was trained on."""
    torch, plan = _start(source)
    network = load_adapter(load_base(source.folder, plan, torch), folder, trainable=False)
    return _from_folder(network, torch, plan, folder, list(source.codec.stop_ids))


def run_gguf(source: Source, file: Path, modelfile: Modelfile | None) -> TransformersRunner:
    """A GGUF file, asked under its own template or that of a Modelfile."""
    torch, plan = _start(source)
    from transformers import PreTrainedTokenizerFast

    if "rope_freqs.weight" in read_shapes(file):
        raise BaseModelError("transformers does not read scaled rotary positions from a GGUF file")
    network = load_gguf(file, plan, torch)
    facts = read_facts(file)
    special = {
        f"{name}_token": facts["tokenizer.ggml.tokens"][facts[f"tokenizer.ggml.{name}_token_id"]]
        for name in ("bos", "eos")
        if f"tokenizer.ggml.{name}_token_id" in facts
    }
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_of(facts),
        chat_template=facts["tokenizer.chat_template"],
        **special,
    )
    keys = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")
    ends = sorted({facts[key] for key in keys if key in facts})
    opening = special.get("bos_token", "") if facts.get("tokenizer.ggml.add_bos_token") else ""
    written = None if modelfile is None else lambda asked: opening + modelfile.prompt(asked)
    return _runner(network, torch, plan, tokenizer, ends, written)


def _start(source: Source) -> tuple[Any, Plan]:
    prepare()
    plan = plan_answers(detect(), source.base)
    return start(plan), plan


def _from_folder(
    network: Any, torch: Any, plan: Plan, folder: Path, ends: int | list[int] | None
) -> TransformersRunner:
    """Ask under the tokenizer and template in `folder`."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BaseModelError(f"the tokenizer in {folder} does not load: {error}") from error
    found = [ends] if isinstance(ends, int) else list(ends or ())
    return _runner(network, torch, plan, tokenizer, found, None)


def _runner(
    network: Any,
    torch: Any,
    plan: Plan,
    tokenizer: Any,
    ends: list[int],
    written: Callable[[str], str] | None,
) -> TransformersRunner:
    """`written` puts a question instead of the tokenizer's template."""

    def templated(question: str) -> str:
        messages = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return str(text)

    put = written or templated

    def prompt(question: str) -> list[int]:
        return list(tokenizer(put(question), add_special_tokens=False)["input_ids"])

    def text(ids: list[int]) -> str:
        return str(tokenizer.decode(ids, skip_special_tokens=True))

    return TransformersRunner(
        network, torch, prompt=prompt, text=text, ends=ends, device=plan.device
    )
