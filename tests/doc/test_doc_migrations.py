"""Bringing a document to the current version."""

from __future__ import annotations

import pytest
from strategies import DLM_ID

from dlm.doc.migrations import MIGRATIONS, migrate
from dlm.doc.parser import parse_text
from dlm.doc.schema import CURRENT_SCHEMA_VERSION
from dlm.errors import DocumentError

HEAD = f"---\ndlm_id: {DLM_ID}\n"


def test_the_table_has_one_step_for_each_version_in_order() -> None:
    versions = [migration.version for migration in MIGRATIONS]
    assert versions == list(range(1, CURRENT_SCHEMA_VERSION))


@pytest.mark.parametrize("version", range(1, CURRENT_SCHEMA_VERSION))
def test_every_older_version_becomes_current_and_keeps_its_text(version: int) -> None:
    document = parse_text(f"{HEAD}dlm_version: {version}  # old\nbase_model: pocket\n---\nText.\n")
    current = document.apply(migrate(document))
    assert current.text == f"{HEAD}dlm_version: 15  # old\nbase_model: pocket\n---\nText.\n"
    assert migrate(current) == ()


def test_a_document_without_a_version_gets_one() -> None:
    document = parse_text(f"{HEAD}base_model: pocket # small\r\n---\n")
    current = document.apply(migrate(document))
    assert current.text == f"{HEAD}base_model: pocket # small\r\ndlm_version: 15\n---\n"


def test_dpo_of_the_first_version_is_called_preference() -> None:
    training = "training:\n  # tuned\n  dpo: {enabled: true}  # on\n"
    document = parse_text(f"{HEAD}base_model: pocket\n{training}dlm_version: 1\n---\n")
    renamed = training.replace("dpo", "preference")
    current = document.apply(migrate(document))
    assert current.text == f"{HEAD}base_model: pocket\n{renamed}dlm_version: 15\n---\n"


def test_a_document_with_both_names_is_left_to_its_owner() -> None:
    training = "training: {dpo: {enabled: true}, preference: {}}\n"
    document = parse_text(f"{HEAD}base_model: pocket\n{training}---\n")
    with pytest.raises(DocumentError, match="both dpo and preference") as caught:
        migrate(document)
    assert caught.value.at is not None
    assert (caught.value.at.line, caught.value.at.column) == (4, 12)
