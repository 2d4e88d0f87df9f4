"""The numpy engine against transformers and PEFT, on the embedded base and on a tiny one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlm
from dlm.data.chat import Codec
from dlm.engine import native as native_module
from dlm.engine.native import NativeEngine
from dlm.errors import BaseModelError

# PEFT asks transformers by a name that transformers is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

POCKET = Path(dlm.__file__).parent / "base_models" / "pocket"
TOLERANCE = 2e-4
PROMPTS = (
    "What is a lighthouse?",
    "Name three rivers.",
    "Write 1 question-and-answer pair that the passage answers directly.\n\nPassage:\nBees dance.",
    "Why is the sky blue?",
    "hello",
    "Explain, in one sentence, how bread rises — and why 42 ☃ matters.",
)
TEXTS = ("a", "The tide comes twice a day.", "one two three " * 120)


@pytest.fixture(scope="module")
def torch() -> Iterator[Any]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield torch
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.load(POCKET)


@pytest.fixture(scope="module")
def native() -> NativeEngine:
    return NativeEngine.load(POCKET)


@pytest.fixture(scope="module")
def pocket(torch: Any) -> Any:
    return _reference(torch, POCKET)


@pytest.fixture(scope="module")
def adapter(torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _adapter(torch, POCKET, tmp_path_factory.mktemp("adapter"), r=8, lora_alpha=32)


@pytest.fixture(scope="module")
def tiny(torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, two key heads for six query heads, an untied output, another rotary base."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=600,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        rms_norm_eps=1e-3,
        initializer_range=0.3,
        tie_word_embeddings=False,
    )
    folder = tmp_path_factory.mktemp("tiny")
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("text", TEXTS)
def test_logits_equal_those_of_transformers(
    torch: Any, codec: Codec, native: NativeEngine, pocket: Any, text: str
) -> None:
    ids = codec.encode(text)
    assert np.abs(native.logits(ids) - _logits(torch, pocket, ids)).max() < TOLERANCE


def test_greedy_answers_equal_those_of_transformers(
    torch: Any, codec: Codec, native: NativeEngine, pocket: Any
) -> None:
    for prompt in PROMPTS:
        ids = codec.prompt_ids([{"role": "user", "content": prompt}])
        expected = pocket.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=40,
            min_new_tokens=40,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=codec.pad_id,
        )[0, len(ids) :].tolist()
        assert len(expected) == 40
        assert native.generate(ids, max_new_tokens=40) == expected


def test_logits_with_an_adapter_equal_those_of_peft(
    torch: Any, codec: Codec, native: NativeEngine, adapter: Path
) -> None:
    from peft import PeftModel

    reference = PeftModel.from_pretrained(_reference(torch, POCKET), str(adapter)).eval()
    engine = NativeEngine.load(POCKET, adapter)
    for text in TEXTS:
        ids = codec.encode(text)
        logits = engine.logits(ids)
        assert np.abs(logits - _logits(torch, reference, ids)).max() < TOLERANCE
        assert np.abs(logits - native.logits(ids)).max() > 0.1


def test_a_rank_stabilised_adapter_is_scaled_by_the_root_of_its_rank(
    torch: Any, tiny: Path, tmp_path: Path
) -> None:
    from peft import PeftModel

    folder = _adapter(torch, tiny, tmp_path, r=16, lora_alpha=8, use_rslora=True)
    reference = PeftModel.from_pretrained(_reference(torch, tiny), str(folder)).eval()
    ids = [5, 9, 250, 3]
    logits = NativeEngine.load(tiny, folder).logits(ids)
    assert np.abs(logits - _logits(torch, reference, ids)).max() < TOLERANCE


@pytest.mark.parametrize("length", [1, 7, 256, 300, 520])
def test_grouped_attention_and_an_untied_head_agree_too(
    torch: Any, tiny: Path, length: int
) -> None:
    ids = np.random.default_rng(length).integers(0, 300, length).tolist()
    expected = _logits(torch, _reference(torch, tiny), ids)
    assert np.abs(NativeEngine.load(tiny).logits(ids) - expected).max() < TOLERANCE


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_and_sharded_weights_are_read_exactly(
    torch: Any, tiny: Path, tmp_path: Path, dtype: str
) -> None:
    half = _reference(torch, tiny).to(getattr(torch, dtype))
    half.save_pretrained(tmp_path, max_shard_size="40KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    ids = [1, 2, 3, 4]
    expected = _logits(torch, _reference(torch, tmp_path), ids)
    assert np.abs(NativeEngine.load(tmp_path).logits(ids) - expected).max() < TOLERANCE


def test_cached_steps_equal_reading_everything_again(native: NativeEngine, codec: Codec) -> None:
    ids = codec.prompt_ids([{"role": "user", "content": PROMPTS[0]}])
    again = list(ids)
    for token in native.generate(ids, max_new_tokens=30):
        assert int(native.logits(again)[-1].argmax()) == token
        again.append(token)


def test_generation_stops_before_a_stop_token(native: NativeEngine, codec: Codec) -> None:
    ids = codec.prompt_ids([{"role": "user", "content": PROMPTS[0]}])
    free = native.generate(ids, max_new_tokens=12)
    streamed: list[int] = []
    stopped = native.generate(ids, max_new_tokens=12, stop_ids={free[5]}, on_token=streamed.append)
    assert stopped == free[: free.index(free[5])]
    assert streamed == stopped


def test_generation_stays_within_the_context(tiny: Path) -> None:
    engine = NativeEngine.load(tiny)
    assert len(engine.generate([7] * 590, max_new_tokens=50)) == 10
    with pytest.raises(BaseModelError, match="600 tokens do not fit the 600"):
        engine.generate([7] * 600, max_new_tokens=1)


def test_sampling_is_a_function_of_the_seed(native: NativeEngine, codec: Codec) -> None:
    ids = codec.prompt_ids([{"role": "user", "content": PROMPTS[1]}])
    first, again, other = (
        native.generate(ids, max_new_tokens=20, temperature=1.0, top_p=0.95, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_sampling_follows_the_probabilities_of_the_likeliest_tokens(tiny: Path) -> None:
    engine = NativeEngine.load(tiny)
    scores = engine.logits([7])[0].astype(np.float64) / 2.0
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    order = np.argsort(-chances)
    kept = order[: int((np.cumsum(chances[order]) < 0.5).sum()) + 1]
    expected = np.zeros_like(chances)
    expected[kept] = chances[kept] / chances[kept].sum()
    drawn = np.zeros_like(chances)
    for seed in range(2000):
        options = {"temperature": 2.0, "top_p": 0.5, "seed": seed}
        drawn[engine.generate([7], max_new_tokens=1, **options)] += 1 / 2000
    assert 1 < len(kept) < 300
    assert set(np.flatnonzero(drawn)) <= set(kept)
    # Four standard errors of a share of one half over 2000 draws.
    assert np.abs(drawn - expected).max() < 0.045


def test_a_top_p_near_zero_is_greedy(native: NativeEngine) -> None:
    greedy = native.generate([40, 41], max_new_tokens=10)
    assert native.generate([40, 41], max_new_tokens=10, temperature=1.0, top_p=1e-9) == greedy


@pytest.mark.parametrize(
    "change",
    [
        {"architectures": ["MistralForCausalLM"]},
        {"model_type": "qwen2"},
        {"attention_bias": True},
        {"mlp_bias": True},
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0}},
        {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": None},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"tie_word_embeddings": False},
    ],
)
def test_other_models_are_left_to_the_torch_engine(tmp_path: Path, change: dict[str, Any]) -> None:
    shutil.copytree(POCKET, tmp_path / "base")
    assert NativeEngine.supports(tmp_path / "base")
    path = tmp_path / "base" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert not NativeEngine.supports(tmp_path / "base")
    with pytest.raises(BaseModelError, match="cannot run"):
        NativeEngine.load(tmp_path / "base")


@pytest.mark.parametrize(("rows", "supported"), [(13_000, True), (15_001, False)])
def test_a_model_of_many_parameters_is_left_to_the_torch_engine(
    tmp_path: Path, rows: int, supported: bool
) -> None:
    shutil.copytree(POCKET, tmp_path / "base")
    path = tmp_path / "base" / "model.safetensors"
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    header["ballast"] = {"dtype": "F32", "shape": [rows, 10_000], "data_offsets": [0, 0]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    assert NativeEngine.supports(tmp_path / "base") is supported


def test_weights_that_are_cut_short_are_named(tmp_path: Path) -> None:
    shutil.copytree(POCKET, tmp_path / "base")
    path = tmp_path / "base" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BaseModelError, match=r"model\.safetensors is damaged"):
        NativeEngine.load(tmp_path / "base")


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_an_incomplete_folder_is_not_supported(tmp_path: Path, missing: str) -> None:
    shutil.copytree(POCKET, tmp_path / "base")
    (tmp_path / "base" / missing).unlink()
    assert not NativeEngine.supports(tmp_path / "base")


@pytest.mark.parametrize(
    "change",
    [
        {"use_dora": True},
        {"bias": "all"},
        {"modules_to_save": ["lm_head"]},
        {"rank_pattern": {"q_proj": 4}},
        {"alpha_pattern": {"q_proj": 4}},
        {"fan_in_fan_out": True},
        {"alora_invocation_tokens": [1, 2]},
        {"init_lora_weights": "pissa"},
        {"peft_type": "IA3"},
    ],
)
def test_adapters_that_are_no_plain_lora_are_left_to_the_torch_engine(
    adapter: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    assert NativeEngine.supports(POCKET, adapter)
    shutil.copytree(adapter, tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert not NativeEngine.supports(POCKET, tmp_path / "adapter")


def test_an_adapter_on_the_embedding_is_left_to_the_torch_engine(
    torch: Any, tiny: Path, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match="embedding layers"):
        folder = _adapter(torch, tiny, tmp_path, r=4, target_modules=["embed_tokens", "q_proj"])
    assert not NativeEngine.supports(tiny, folder)


def test_an_adapter_of_another_base_is_named(torch: Any, tiny: Path, tmp_path: Path) -> None:
    folder = _adapter(torch, tiny, tmp_path, r=4)
    with pytest.raises(BaseModelError, match="does not fit this base model"):
        NativeEngine.load(POCKET, folder)


def test_products_run_on_one_thread_and_the_old_number_comes_back(native: NativeEngine) -> None:
    library = native_module._openblas()
    if library is None:
        pytest.skip("this numpy was built without its own OpenBLAS")
    library.scipy_openblas_set_num_threads64_(2)
    seen: list[int] = []
    count = library.scipy_openblas_get_num_threads64_
    native.generate([40], max_new_tokens=2, on_token=lambda _: seen.append(count()))
    assert seen == [1, 1]
    assert count() == 2


def test_the_engine_imports_neither_torch_nor_transformers() -> None:
    heavy = "('torch', 'transformers', 'peft', 'tokenizers')"
    probe = f"import sys, dlm.engine.native; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", probe], text=True) == "[]\n"


def _reference(torch: Any, folder: Path) -> Any:
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def _logits(torch: Any, network: Any, ids: list[int]) -> Any:
    with torch.no_grad():
        return network(torch.tensor([ids])).logits[0].numpy()


def _adapter(torch: Any, base: Path, folder: Path, **options: Any) -> Path:
    """A PEFT adapter of random weights, B included, large enough to change what the base says."""
    from peft import LoraConfig, get_peft_model

    settings = {"target_modules": "all-linear", "task_type": "CAUSAL_LM", **options}
    model = get_peft_model(_reference(torch, base), LoraConfig(**settings))
    torch.manual_seed(5)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    model.save_pretrained(str(folder))
    return folder
