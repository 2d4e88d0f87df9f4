"""The sizes in the registry are those of the models: built without weights, they count the same."""

from __future__ import annotations

import pytest

from dlm.base_models import BASE_MODELS

CONFIGS = {"Gemma3ForCausalLM": "Gemma3TextConfig"}
UNTIED = ("olmo-2-1b", "phi-3.5-mini")


@pytest.mark.parametrize("key", BASE_MODELS)
def test_a_model_of_these_sizes_has_this_many_weights(key: str) -> None:
    import torch
    import transformers

    base = BASE_MODELS[key]
    name = base.architecture.removesuffix("ForCausalLM")
    config = getattr(transformers, CONFIGS.get(base.architecture, f"{name}Config"))(
        vocab_size=base.vocab_size,
        hidden_size=base.hidden_size,
        intermediate_size=base.inner_size,
        num_hidden_layers=base.layers,
        num_attention_heads=base.heads,
        num_key_value_heads=base.kv_heads,
        head_dim=base.head_size,
        tie_word_embeddings=key not in UNTIED,
        bos_token_id=None,
        eos_token_id=3,
        pad_token_id=1,
    )
    with torch.device("meta"):
        network = transformers.AutoModelForCausalLM.from_config(config)
    assert sum(one.numel() for one in network.parameters()) == base.params
