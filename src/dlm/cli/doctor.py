"""`dlm doctor`: what this machine has, whether base and store are whole, how training would run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm.cli.common import print_json, print_table, read_document
from dlm.cli.options import JsonOption, PathArgument
from dlm.errors import DlmError

if TYPE_CHECKING:
    from dlm.base_models import BaseModel
    from dlm.doc.document import Document
    from dlm.hardware import Machine

_PACKAGES = ("dlm", "torch", "transformers", "peft", "trl", "accelerate", "datasets")


def doctor(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """Check this machine, the base model and the store."""
    from dlm.hardware import detect

    document = _document(path)
    machine = detect()
    facts: dict[str, Any] = {
        "packages": _packages(),
        "machine": asdict(machine),
        **_base_facts(document, machine),
        "store": _store_facts(document) if document else None,
    }
    if as_json:
        print_json(facts)
    else:
        _print(facts)
    problems = [text for text in (facts["base"]["problem"], _store_problem(facts)) if text]
    if problems:
        raise DlmError("; ".join(problems), hint=facts["base"].get("hint"))


def _document(path: str | None) -> Document | None:
    """The document that is meant; none when none is named and the folder does not hold just one."""
    if path is None and len(list(Path.cwd().glob("*.dlm"))) != 1:
        return None
    return read_document(path)


def _packages() -> dict[str, str | None]:
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _base_facts(document: Document | None, machine: Machine) -> dict[str, Any]:
    from dlm.base_models import base_of, resolve
    from dlm.base_models.folder import fingerprint
    from dlm.base_models.locate import local_folder, where
    from dlm.cli.base import default_base, describe

    base = base_of(document) if document else resolve(default_base())
    facts: dict[str, Any] = {
        "key": base.key,
        "hf_id": base.hf_id,
        "params": base.params,
        "license": base.license_spdx,
        "advice": describe(base, machine),
        "problem": None,
    }
    try:
        place = where(base)
        if place is not None and place.is_file():
            facts |= {"folder": f"{place}, to be unpacked at first use"}
        else:
            folder = local_folder(base, download=False)
            facts |= {"folder": str(folder), "fingerprint": fingerprint(folder)}
        return {"base": facts, "plan": _plan(document, base, machine)}
    except DlmError as error:
        facts |= {"problem": str(error), "hint": error.hint}
        return {"base": facts, "plan": None}


def _plan(document: Document | None, base: BaseModel, machine: Machine) -> dict[str, Any]:
    from dlm.data.rows import sequence_length
    from dlm.hardware import plan

    config = document.frontmatter.training if document else None
    made = plan(
        machine,
        base,
        sequence_length=sequence_length(config, base.context_length),
        micro_batch=config.micro_batch_size if config else "auto",
        grad_accum=config.grad_accum if config else "auto",
        precision=config.precision if config else "auto",
        lora_rank=config.lora_r if config else 16,
    )
    return asdict(made)


def _store_facts(document: Document) -> dict[str, Any]:
    from dlm.store.paths import for_dlm

    paths = for_dlm(document.frontmatter.dlm_id)
    facts: dict[str, Any] = {"folder": str(paths.root), "versions": 0, "damaged": [], "notices": []}
    if not paths.root.exists():
        return facts
    from dlm.store.store import open_store

    with open_store(document) as store:
        facts["notices"] = list(store.notices)
        versions = store.versions()
        facts["versions"] = len(versions)
        current = store.current()
        facts["current"] = current.name if current else None
        for version in versions:
            try:
                store.verify(version)
            except DlmError as error:
                facts["damaged"].append(f"{version.name}: {error}")
    return facts


def _store_problem(facts: dict[str, Any]) -> str | None:
    store = facts["store"]
    return "; ".join(store["damaged"]) if store and store["damaged"] else None


def _print(facts: dict[str, Any]) -> None:
    machine, base, plan = facts["machine"], facts["base"], facts["plan"]
    print("packages")
    print_table({name: found or "missing" for name, found in facts["packages"].items()})
    print("machine")
    graphics = ", ".join(gpu["name"] for gpu in machine["gpus"]) or "none"
    print_table(
        {
            "cores": str(machine["cores"]),
            "memory": f"{machine['memory_gb']:.1f} GB, {machine['available_gb']:.1f} GB free",
            "graphics": graphics,
        }
    )
    print("base")
    print_table({"name": base["key"], "here": base.get("folder", "no"), "advice": base["advice"]})
    if plan:
        print("training here")
        rows = f"{plan['micro_batch']} x {plan['grad_accum']}"
        print_table({"device": f"{plan['device']}, {plan['dtype']}", "rows a step": rows})
        for reason in plan["reasons"]:
            print(f"  {reason}")
    if facts["store"]:
        store = facts["store"]
        print("store")
        whole = "all whole" if not store["damaged"] else f"{len(store['damaged'])} damaged"
        print_table({"folder": store["folder"], "versions": f"{store['versions']}, {whole}"})
        for notice in store["notices"]:
            print(f"  {notice}")
