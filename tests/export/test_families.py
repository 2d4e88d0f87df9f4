"""Models of each family come out of a GGUF file as they went in."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exports import DLM_ID, commit, document_text
from families import TEXT, config_of, write_model, write_random_adapter

from dlm.base_models.gguf import GgufFile
from dlm.doc.document import parse_file
from dlm.engine.loading import load_adapter, load_base, load_gguf, start
from dlm.errors import DlmError
from dlm.export.check.llama_cpp_runner import run_llama_cpp
from dlm.export.gguf.families import Shaping
from dlm.export.gguf.model import write_gguf
from dlm.export.gguf.reading import tokenizer_of
from dlm.export.gguf.vocabulary import WAYS
from dlm.export.source import Source, open_source
from dlm.export.weights import Precision
from dlm.hardware import Plan

PLAN = Plan("cpu", "float32", 1, 1, False, 1, 0.0, ())
FAMILIES = {
    "Llama": "smollm",
    "Llama3": "smollm",
    "Qwen2": "qwen2",
    "Qwen3": "qwen2",
    "Gemma": "",
    "Gemma2": "",
    "Gemma3Text": "",
}
NOT_IN_TRANSFORMERS = ("Gemma", "Llama3")  # it reads no file of these


def prepared(family: str, folder: Path, way: list[dict[str, Any]] | None = None) -> Path:
    """A document trained on a tiny model of the family."""
    way = way or copy.deepcopy(WAYS.get(FAMILIES[family], []))
    write_model(family, folder / "model", way)
    write_random_adapter(folder / "model", folder / "adapter")
    path = folder / "harrow.dlm"
    path.write_text(document_text(base="./model"), encoding="utf-8")
    commit(DLM_ID, folder / "adapter", "./model", folder / "model")
    return path


def logits_of(network: Any, torch: Any, rows: list[list[int]]) -> list[Any]:
    with torch.inference_mode():
        return [network(torch.tensor([row])).logits[0].numpy() for row in rows]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_says_what_base_and_adapter_say_together(family: str, tmp_path: Path) -> None:
    path = prepared(family, tmp_path)
    torch = start(PLAN)
    with open_source(parse_file(path), None, print) as source:
        file = tmp_path / "model.gguf"
        write_gguf(source, file, Precision.F32)
        rows = [source.codec.encode(text)[:60] for text in TEXT]
        base = load_base(source.folder, PLAN, torch)
        without = logits_of(base, torch, rows)
        wanted = logits_of(load_adapter(base, source.adapter, trainable=False), torch, rows)
        found = wanted
        if family not in NOT_IN_TRANSFORMERS:
            found = logits_of(load_gguf(file, PLAN, torch), torch, rows)
        in_llama_cpp(source, file, wanted, rows)
        tokenizer = tokenizer_of(GgufFile(file).facts)
        for text in TEXT:
            assert tokenizer.encode(text, add_special_tokens=False).ids == source.codec.encode(text)
    for one, other, bare in zip(wanted, found, without, strict=True):
        assert np.abs(one - other).max() < 1e-3
        assert np.abs(one - bare).max() > 0.5


def in_llama_cpp(source: Source, file: Path, wanted: list[Any], rows: list[list[int]]) -> None:
    """llama.cpp reads a text as the base's tokenizer does, and expects the same next tokens."""
    runner = run_llama_cpp(file, None)
    compared = 0
    for logits, row, text in zip(wanted, rows, TEXT, strict=True):
        prompt = list(runner.ask(text).prompt)
        assert prompt == source.codec.prompt_ids([{"role": "user", "content": text}])
        asked = {"prompt": row, "n_predict": 1, "temperature": 0, "logprobs": 5}
        answer = runner._server.handle_completions(asked)
        told = answer["choices"][0]["logprobs"]
        if told is None:  # the likeliest token ends the text
            continue
        compared += 1
        (first,) = told["content"]
        likely = {one["id"]: one["logprob"] for one in first["top_logprobs"]}
        found = logits[-1] - np.logaddexp.reduce(logits[-1])
        assert len(likely) == 5
        for token, chance in likely.items():
            assert abs(found[token] - chance) < 0.05
    assert compared


def test_other_families_are_refused_by_name() -> None:
    with pytest.raises(DlmError, match=r"Phi3ForCausalLM cannot be written as GGUF; .* Qwen3"):
        Shaping({"architectures": ["Phi3ForCausalLM"], "num_hidden_layers": 2})


def test_scaled_positions_are_refused_by_name() -> None:
    config = config_of("Llama").to_dict() | {"rope_parameters": {"rope_type": "yarn"}}
    with pytest.raises(DlmError, match="rotary positions of the kind 'yarn'"):
        Shaping(config)


def test_a_tokenizer_that_splits_otherwise_is_refused(tmp_path: Path) -> None:
    way = copy.deepcopy(WAYS["smollm"])
    way[0]["individual_digits"] = False
    path = prepared("Llama", tmp_path, way)
    with (
        open_source(parse_file(path), None, print) as source,
        pytest.raises(DlmError, match=r"splits text in a way that llama\.cpp has no name"),
    ):
        write_gguf(source, tmp_path / "model.gguf", Precision.F32)
