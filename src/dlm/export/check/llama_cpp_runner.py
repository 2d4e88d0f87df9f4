"""GGUF files as llama.cpp loads them, through the package xllamacpp where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from dlm.errors import BaseModelError
from dlm.export.check.questions import LONGEST, Reply
from dlm.export.ollama import Modelfile

_CONTEXT: Final = 2048  # tokens; a question and its answer


def llama_cpp_is_here() -> bool:
    """Whether the extra `llama-cpp` is installed."""
    return importlib.util.find_spec("xllamacpp") is not None


def run_llama_cpp(
    file: Path, modelfile: Modelfile | None, *, adapter: Path | None = None, template: str = ""
) -> LlamaCppRunner:
    """A GGUF file, perhaps with an adapter and a template of its own; BaseModelError if it does
    not load."""
    xllamacpp: Any = importlib.import_module("xllamacpp")
    settings = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.n_ctx, settings.n_parallel = _CONTEXT, 1
    settings.warmup = False
    settings.verbosity = -1
    settings.use_jinja = True
    # Its threads spin while they wait, so that each needs a core of its own.
    threads = max(1, (os.cpu_count() or 1) // 2)
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    if template:
        settings.chat_template = template
    if adapter is not None:
        settings.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    try:
        return LlamaCppRunner(xllamacpp.Server(settings), modelfile)
    except RuntimeError as error:
        raise BaseModelError(f"llama.cpp does not load {file}: {error}") from error


class LlamaCppRunner:
    """A server of llama.cpp within this process; it is asked as its clients ask it."""

    name = "llama.cpp"

    def __init__(self, server: Any, modelfile: Modelfile | None) -> None:
        self._server = server
        self._modelfile = modelfile

    def ask(self, question: str) -> Reply:
        """The likeliest answer under the file's own template, or that of the Modelfile."""
        sampling = {"temperature": 0, "max_tokens": LONGEST, "n_predict": LONGEST}
        messages = [{"role": "user", "content": question}]
        if self._modelfile is not None:
            prompt = self._modelfile.prompt(question)
            answer = self._server.handle_completions({"prompt": prompt, **sampling})
            return Reply(self._ids(prompt), str(answer["choices"][0]["text"]))
        prompt = str(self._post("/apply-template", {"messages": messages})["prompt"])
        answer = self._server.handle_chat_completions({"messages": messages, **sampling})
        return Reply(self._ids(prompt), str(answer["choices"][0]["message"]["content"]))

    def _ids(self, prompt: str) -> tuple[int, ...]:
        body = {"content": prompt, "add_special": True, "parse_special": True}
        return tuple(self._post("/tokenize", body)["tokens"])

    def _post(self, place: str, body: dict[str, Any]) -> dict[str, Any]:
        address = f"{self._server.listening_address}{place}"
        request = Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found
