"""What `from dlm import …` gives: these names with these signatures, light until they are used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import dlm
from dlm import Document, Engine, open_store, train

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
APPROVED = Path(__file__).parent / "cases" / "public_interface.txt"


def _members(name: str, kind: type) -> list[str]:
    own = [n for n, value in vars(kind).items() if not n.startswith("_") or n == "__init__"]
    fields = list(getattr(kind, "__dataclass_fields__", ()))
    lines = [f"{name}.{field}" for field in fields if not field.startswith("_")]
    for member in own:
        value = inspect.getattr_static(kind, member)
        value = value.__func__ if isinstance(value, classmethod) else value
        if inspect.isfunction(value):
            lines.append(f"{name}.{member}{inspect.signature(value)}")
        elif isinstance(value, property):
            lines.append(f"{name}.{member} -> {inspect.signature(value.fget).return_annotation}")  # type: ignore[arg-type]
    return sorted(set(lines))


def test_names_and_signatures_are_the_approved_ones() -> None:
    from dlm.engine.asking import Cited, Reply

    lines = [f"dlm: {', '.join(dlm.__all__)}"]
    lines += [f"open_store{inspect.signature(open_store)}", f"train{inspect.signature(train)}"]
    for name, kind in (("Document", Document), ("Engine", Engine)):
        lines += [line for line in _members(name, kind) if "Document.__init__" not in line]
    for kind in (Reply, Cited):
        lines.append(f"{kind.__name__}({', '.join(kind.__dataclass_fields__)})")
    found = "".join(f"{line}\n" for line in lines)
    approved = APPROVED.read_text("utf-8")
    if found != approved:
        APPROVED.write_text(found, "utf-8")
    assert found == approved, "the public interface changed; see the difference of this file"


def test_what_type_checkers_read_says_the_same() -> None:
    stub = ast.parse(Path(dlm.__file__).with_suffix(".pyi").read_text("utf-8"))
    (function,) = (node for node in stub.body if isinstance(node, ast.FunctionDef))
    told = [arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)]
    assert told == list(inspect.signature(train).parameters)
    named = {a.name for node in stub.body if isinstance(node, ast.ImportFrom) for a in node.names}
    assert set(dlm.__all__) <= named | {function.name}


def test_importing_the_package_loads_nothing() -> None:
    program = "import sys, dlm; print(*(n for n in sys.modules if n.startswith('dlm.')))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == ""


def test_train_is_a_function_whatever_was_imported_before() -> None:
    program = (
        "import dlm.train.options; from dlm import train; assert callable(train); "
        "import dlm.train.plan; assert dlm.train is train"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_another_name_is_no_part_of_it() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dlm.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert set(dlm.__all__) <= set(dir(dlm))


def test_a_document_is_trained_and_asked_open_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "notes.dlm"
    pair = "::instruction::\n### Q\nWhere is the key?\n\n### A\nBehind the drainpipe.\n::\n"
    path.write_text(HEAD + pair, "utf-8")
    document = Document.open(path)
    version = train(document, max_steps=2)
    with open_store(document) as store:
        assert store.current() == version
    engine = Engine(document)
    reply = engine.ask("Where is the key?")
    assert (reply.text, reply.line, reply.declined) == ("Behind the drainpipe.", 11, False)
    assert (reply.version, reply.trained, reply.engine) == ("v0001", True, "notes")
    assert reply.passages[0].text.endswith("Behind the drainpipe.")
    closed = engine.ask("Where is the key?", closed=True)
    assert (closed.version, closed.line, closed.engine) == ("v0001", None, "numpy")
    assert closed.tokens is not None
    assert train(document, max_steps=2).number >= version.number

    path.write_text(HEAD + pair.replace("drainpipe", "boiler"), "utf-8")
    assert engine.ask("Where is the key?").text == "Behind the boiler."
    assert Engine(document, version="v0001").ask("Where is the key?").text != "Behind the boiler."
