"""What the owner may write after --teacher, and what is said when it names nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.engine.resident import Resident
from dlm.errors import BaseModelError, DlmError
from dlm.loops.teachers import Cached, Refused, Request, estimate, open_teacher
from dlm.loops.teachers.spec import LocalTeacher
from dlm.store.database import Database
from dlm.testing import ChatServer, answer

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

DOCUMENT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---
The key hangs behind the drainpipe.
"""


@pytest.fixture
def document() -> Document:
    return parse_text(DOCUMENT, path=Path("shed.dlm"))


def refusal(spec: str, document: Document) -> str:
    with pytest.raises(DlmError) as caught, open_teacher(spec, document):
        pass
    return f"{caught.value.message} | {caught.value.hint}"


def test_the_base_completes_and_is_loaded_only_for_that(document: Document, tmp_path: Path) -> None:
    found: dict[int, Sequence[str]] = {}
    database = Database.open(tmp_path / "store.sqlite3")
    requests = [Request("", f"What is {word}?", max_new_tokens=4) for word in ("rye", "a heron")]
    with (
        Resident.open(document) as resident,
        open_teacher("base", document, resident=resident) as teacher,
    ):
        assert isinstance(teacher, LocalTeacher)
        assert teacher.resident is resident
        assert teacher.name == "base:pocket"
        assert "model" not in vars(resident)
        cached = Cached(teacher, database)
        cost = estimate(cached, requests)
        cached.complete(requests, found.__setitem__)
    # A run that finds everything in the cache loads nothing.
    with open_teacher("base", document) as teacher:
        again = Cached(teacher, database)
        again.complete(requests, found.__setitem__)
        assert isinstance(teacher, LocalTeacher)
        assert "model" not in vars(teacher.resident)
    assert again.counts.cached == 2
    assert "model" not in vars(resident)
    assert len(found) == 2
    assert cost.tokens_out == 8
    assert cost.tokens_in == sum(resident.prompt_tokens(request) for request in requests)
    assert cost.seconds is not None
    assert cost.seconds > 0
    database.close()


def test_a_folder_with_a_model_teaches_under_its_own_name(
    document: Document, tmp_path: Path, pocket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pocket_folder, tmp_path / "sage")
    monkeypatch.chdir(tmp_path)
    names = []
    for spec in ("./sage", str(tmp_path / "sage"), "sage"):
        with open_teacher(spec, document) as teacher:
            names.append((teacher.name, teacher.identity))
    assert {name for name, _ in names} == {"folder:sage"}
    assert len({identity for _, identity in names}) == 1
    assert str(tmp_path) not in names[0][1]
    shutil.copy(tmp_path / "sage" / "tokenizer.json", tmp_path)
    (tmp_path / "sage" / "tokenizer.json").write_text('{"version": "1.0"}')
    with open_teacher("./sage", document) as teacher:
        assert teacher.identity != names[0][1]


def test_a_key_of_the_registry_is_a_teacher_too(document: Document) -> None:
    with open_teacher("pocket", document) as teacher:
        assert teacher.name == "base:pocket"
        found: list[Sequence[str]] = []
        long = Request("", "word " * 3000, max_new_tokens=4)
        teacher.complete([long], lambda index, texts: found.append(texts))
    assert isinstance(found[0], Refused)


def test_servers_and_commands(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with open_teacher("openai:gpt-x", document) as teacher:
        assert teacher.name == "openai:gpt-x"
    with open_teacher(f"cli:{sys.executable} -c 1", document) as teacher:
        assert teacher.name.startswith("cli:")
    with ChatServer(lambda _, body: answer(body)) as server:
        for spec in (f"vllm-server:{server.url}", server.url, f"{server.url}/v1#tiny"):
            with open_teacher(spec, document) as teacher:
                assert teacher.name == f"{server.url}/v1#tiny"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "there is no teacher ''"),
        ("opnai:gpt-5", "did you mean openai:gpt-5?"),
        ("sefl", "did you mean self?"),
        ("vllm:http://x", "did you mean vllm-server:http://x?"),
        ("poket", "did you mean pocket?"),
        ("zzz", "known: self, base, hf:<model>"),
        ("self", "shed.dlm is not trained yet, so it cannot teach itself"),
        ("self:v0003", "there is no version v0003"),
        ("openai:", "names no model"),
        ("openai:gpt-x", "OPENAI_API_KEY is not set"),
        ("cli:", "names no command"),
        ("cli:./nothing.py", "there is no command './nothing.py'"),
        ("./nothing", "there is no folder ./nothing"),
        ("hf:nonsense", "is not a model of the Hugging Face hub"),
        ("https://", "is not the address of a server"),
    ],
)
def test_what_names_no_teacher_is_one_sentence(
    document: Document, spec: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert words in refusal(spec, document)


def test_a_model_that_is_not_here_is_not_fetched_where_the_network_is_forbidden(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BaseModelError, match="HF_HUB_OFFLINE is set"), open_teacher(
        "hf:some/model", document
    ):  # fmt: skip
        pass
