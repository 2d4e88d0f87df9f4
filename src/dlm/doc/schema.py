"""The frontmatter: every key this tool acts on, its type, range and default.

Each description completes the sentence "<key> must be …". Places in a file are not known here.
"""

# Annotations are values here: pydantic asks for each, and as text it would have to compile them.
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

CURRENT_SCHEMA_VERSION: Final = 15

DLM_ID_PATTERN: Final = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"

# Keys that other tools of this format act on and this one does not: kept, and named in a warning.
KNOWN_ELSEWHERE: Final = frozenset(
    {
        ("export",),
        ("training", "adapters"),
        ("training", "audio"),
        ("training", "cache"),
        ("training", "cpt"),
        ("training", "dpo"),
        ("training", "gate"),
        ("training", "optimizer"),
        ("training", "preference", "enabled"),
        ("training", "preference", "hyperparams"),
        ("training", "preference", "loss_weights"),
    }
)

Auto = Literal["auto"]
Rate = Annotated[float, Field(ge=1e-8, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
_FROM_0_TO_1 = "a number from 0 to 1"
_AUTO_OR_RATE = "auto or a number from 0.00000001 to 1"
_MOST_ROWS = 1024  # of a batch
_MOST_EPOCHS = 10_000
_MOST_STEPS = 10_000_000
_MOST_VERSIONS = 1_000_000
_MOST_FILES = 100_000  # of a folder
_MOST_BYTES = 2**24  # of a file


def _path_alone(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _empty_is_default(value: Any) -> Any:
    # `training:` with nothing but comments below it is null in YAML, and means the defaults.
    return {} if value is None else value


def _null_is_auto(value: Any) -> Any:
    return "auto" if value is None else value


class _Config(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )


class TrustConfig(_Config):
    """How much a section weighs in training, by who wrote it."""

    authored: Share = Field(1.0, description=_FROM_0_TO_1)
    harvested: Share = Field(1.0, description=_FROM_0_TO_1)
    synthesized: Share = Field(0.5, description=_FROM_0_TO_1)
    mined: Share = Field(0.5, description=_FROM_0_TO_1)
    pushed: Share = Field(1.0, description=_FROM_0_TO_1)
    imported: Share = Field(0.5, description=_FROM_0_TO_1)


class RehearsalConfig(_Config):
    """General text mixed into training so that the base model keeps what it knew."""

    enabled: bool = Field(True, description="true or false")
    share: Auto | Annotated[float, Field(ge=0, le=0.9)] = Field(
        "auto", description="auto or a number from 0 to 0.9"
    )


class ReplayConfig(_Config):
    """What was trained before comes along, so that a retrain does not forget it."""

    share: Auto | Annotated[float, Field(ge=0, le=0.5)] = Field(
        "auto", description="auto or a number from 0 to 0.5"
    )
    removed: Literal["keep", "forget"] = Field("keep", description="keep or forget")


class PreferenceConfig(_Config):
    """How the triples of `::preference::` sections are trained."""

    method: Literal["auto", "dpo", "orpo"] = Field("auto", description="auto, dpo or orpo")
    beta: Auto | Annotated[float, Field(ge=0.0001, le=100)] = Field(
        "auto", description="auto or a number from 0.0001 to 100"
    )
    learning_rate: Auto | Rate = Field("auto", description=_AUTO_OR_RATE)
    num_epochs: Auto | Annotated[int, Field(ge=1, le=_MOST_EPOCHS)] = Field(
        "auto", description=f"auto or a whole number from 1 to {_MOST_EPOCHS}"
    )
    loss_type: Literal["sigmoid", "hinge", "ipo"] = Field(
        "sigmoid", description="sigmoid, hinge or ipo"
    )
    reference: Literal["pre_adapter", "base"] = Field(
        "pre_adapter", description="pre_adapter or base"
    )


class SourceConfig(_Config):
    """Files that train beside the document: a folder, or one file."""

    path: str = Field(pattern=r"\S", description="the path of a folder or file")
    include: list[str] = Field([], description="a list of patterns such as '*.md'")
    exclude: list[str] = Field([], description="a list of patterns such as 'drafts/'")
    max_files: int | None = Field(
        None, ge=1, le=_MOST_FILES, description=f"a whole number from 1 to {_MOST_FILES}, or null"
    )
    max_bytes_per_file: int | None = Field(
        None, ge=1, le=_MOST_BYTES, description=f"a whole number from 1 to {_MOST_BYTES}, or null"
    )


class TrainingConfig(_Config):
    """How the adapter is trained."""

    adapter: Literal["lora", "qlora", "dora"] = Field("lora", description="lora, qlora or dora")
    lora_r: int = Field(16, ge=1, le=256, description="a whole number from 1 to 256")
    lora_alpha: int = Field(32, ge=1, le=4096, description="a whole number from 1 to 4096")
    lora_dropout: float = Field(0.0, ge=0, le=0.5, description="a number from 0 to 0.5")
    target_modules: Auto | Annotated[list[str], Field(min_length=1)] = Field(
        "auto", description="auto or a list of module names"
    )
    sequence_len: Auto | Annotated[int, Field(ge=64, le=32768)] = Field(
        "auto", description="auto or a whole number from 64 to 32768"
    )
    micro_batch_size: Auto | Annotated[int, Field(ge=1, le=_MOST_ROWS)] = Field(
        "auto", description=f"auto or a whole number from 1 to {_MOST_ROWS}"
    )
    grad_accum: Auto | Annotated[int, Field(ge=1, le=_MOST_ROWS)] = Field(
        "auto", description=f"auto or a whole number from 1 to {_MOST_ROWS}"
    )
    learning_rate: Auto | Rate = Field("auto", description=_AUTO_OR_RATE)
    num_epochs: Auto | Annotated[int, Field(ge=1, le=_MOST_EPOCHS)] = Field(
        "auto", description=f"auto or a whole number from 1 to {_MOST_EPOCHS}"
    )
    max_steps: Annotated[int, Field(ge=1, le=_MOST_STEPS)] | None = Field(
        None, description=f"a whole number from 1 to {_MOST_STEPS}, or null"
    )
    lr_scheduler: Literal["cosine", "linear", "constant"] = Field(
        "linear", description="cosine, linear or constant"
    )
    warmup_ratio: float = Field(0.05, ge=0, le=0.5, description="a number from 0 to 0.5")
    precision: Annotated[
        Literal["auto", "bf16", "fp16", "fp32"], BeforeValidator(_null_is_auto)
    ] = Field("auto", description="auto, bf16, fp16 or fp32")
    quantization: Literal["4bit", "8bit"] | None = Field(None, description="4bit, 8bit or null")
    seed: int = Field(42, ge=0, le=2**32 - 1, description="a whole number from 0 to 4294967295")
    open_book: bool = Field(True, description="true or false")
    keep_last_n: int = Field(
        10, ge=1, le=_MOST_VERSIONS, description=f"a whole number from 1 to {_MOST_VERSIONS}"
    )
    cued_sentences: Auto | Annotated[int, Field(ge=0, le=100_000)] = Field(
        "auto", description="auto or a whole number from 0 to 100000"
    )
    trust: Annotated[TrustConfig, BeforeValidator(_empty_is_default)] = Field(
        {}, validate_default=True, description="a mapping of keys to numbers"
    )
    rehearsal: Annotated[RehearsalConfig, BeforeValidator(_empty_is_default)] = Field(
        {}, validate_default=True, description="a mapping with the keys enabled and share"
    )
    replay: Annotated[ReplayConfig, BeforeValidator(_empty_is_default)] = Field(
        {}, validate_default=True, description="a mapping with the keys share and removed"
    )
    preference: Annotated[PreferenceConfig, BeforeValidator(_empty_is_default)] = Field(
        {}, validate_default=True, description="a mapping with the keys of its own"
    )
    sources: list[Annotated[SourceConfig, BeforeValidator(_path_alone)]] = Field(
        [], description="a list of folders and files, each a path or a mapping with the key path"
    )
    sources_policy: Literal["permissive", "strict"] = Field(
        "permissive", description="permissive or strict"
    )
    real_share: Share = Field(0.35, description=_FROM_0_TO_1)
    held_out: float = Field(0.0, ge=0, le=0.5, description="a number from 0 to 0.5")


class ImproveConfig(_Config):
    """How `dlm improve` goes on; its options say otherwise for one run."""

    rounds: int = Field(2, ge=1, le=1000, description="a whole number from 1 to 1000")
    strategy: Literal["extraction", "expansion", "both", "backtranslate", "mixed"] = Field(
        "extraction", description="extraction, expansion, both, backtranslate or mixed"
    )
    teacher: str | None = Field(None, description="the name of a teacher, or null")
    judge: str = Field("sway", min_length=1, description="the name of a judge")
    improvement_threshold: Share = Field(0.05, description=_FROM_0_TO_1)
    min_steps: int = Field(
        0, ge=0, le=_MOST_STEPS, description=f"a whole number from 0 to {_MOST_STEPS}"
    )
    benchmark_samples: int = Field(
        500, ge=5, le=1_000_000, description="a whole number from 5 to 1000000"
    )
    real_share: Share | None = Field(None, description=f"{_FROM_0_TO_1}, or null")
    keep_last_n: int = Field(
        3, ge=1, le=_MOST_VERSIONS, description=f"a whole number from 1 to {_MOST_VERSIONS}"
    )
    with_preferences: bool = Field(False, description="true or false")
    max_minutes: Annotated[float, Field(gt=0, le=525_600)] | None = Field(
        None, description="a number above 0, up to 525600, or null"
    )
    refresh_per_round: int = Field(1, ge=0, le=16, description="a whole number from 0 to 16")


class Frontmatter(_Config):
    """The keys at the top of a document."""

    dlm_id: str = Field(
        pattern=DLM_ID_PATTERN,
        description="a ULID: 26 capitals and digits, without I, L, O and U, the first 0 to 7",
    )
    dlm_version: int = Field(
        1, ge=1, description=f"a whole number from 1 to {CURRENT_SCHEMA_VERSION}"
    )
    base_model: str = Field(
        pattern=r"\S", description="the name of a base model, such as smollm2-135m or hf:org/name"
    )
    system_prompt: str | None = Field(None, description="text or null")
    training: Annotated[TrainingConfig, BeforeValidator(_empty_is_default)] = Field(
        {}, validate_default=True, description="a mapping of keys to values"
    )
    improve: Annotated[ImproveConfig, BeforeValidator(_empty_is_default)] = Field(
        {}, validate_default=True, description="a mapping of keys to values"
    )
