"""Keys, tokens and private keys are found with their line, and prose sets nothing off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlm.errors import DlmError
from dlm.sources.secrets import find_secrets, refuse_secrets

ROOT = Path(__file__).parents[2]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Put together here, so that no tool takes this file for one that holds secrets.
SECRETS = {
    "AWS Access Key": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub Token": "ghp_" + LETTERS + "0123456789",
    "Hugging Face Token": "hf_" + LETTERS + "abcdefgh",
    "OpenAI Token": "sk-proj-" + LETTERS * 2,
    "Anthropic Token": "sk-ant-api03-" + LETTERS,
    "Google API Key": "AIza" + LETTERS + "012345678",
    "Slack Token": "xoxb-" + "123456789012-" * 2 + LETTERS,
    "Stripe Access Key": "sk_live_" + LETTERS[:24],
    "GitLab Token": "glpat-" + LETTERS[:20],
    "PyPI Token": "pypi-AgEIcHlwaS5vcmc" + LETTERS * 3,
    "Private Key": "-----BEGIN OPENSSH PRIVATE" + " KEY-----",
    "Basic Auth Credentials": "postgres://ada:" + "tide9harbour@db.local/x",
    "Secret Keyword": 'api_key = "' + '9f8e7d6c5b4a39281706f5e4"',
}


@pytest.mark.parametrize("kind", SECRETS)
def test_each_kind_is_found_with_its_line(kind: str) -> None:
    (found,) = find_secrets(f"# Notes\n\nThe value is\n{SECRETS[kind]}\nand that is all.\n")
    assert (found.line, found.kind) == (4, kind)


def test_an_encrypted_private_key_is_one_too() -> None:
    (found,) = find_secrets("-----BEGIN ENCRYPTED PRIVATE" + " KEY-----\nMIIF\n")
    assert (found.line, found.kind) == (1, "Private Key")


def test_a_file_of_settings_needs_no_quotes() -> None:
    text = "DEBUG=1\nSECRET_KEY=" + "django-insecure-9d8f7a6s5d4f\n"
    assert [one.line for one in find_secrets(text, "prod.env")] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "The password of the shed is on the card behind the door.",
        'password = "your-password-goes-here-1"',
        'api_key = os.environ["API_KEY"]',
        "postgres://user:password@localhost/db",
        "https://example.com/a:b@c",
        "SECRET_KEY=<put yours here>",
        "The commit 9f8e7d6c5b4a39281706f5e4d3c2b1a0 broke it.",
        "token: abc",
        "İstanbul'da anahtar yok: İİİİ ghp_",
    ],
)
def test_what_only_speaks_of_secrets_is_none(text: str) -> None:
    assert find_secrets(text, "settings.toml") == ()


def test_a_line_as_long_as_a_file_is_searched_to_its_end() -> None:
    rows = [
        {"api_key": f"k{number}", "password": "the word", "url": "x://a:"} for number in range(5000)
    ]
    rows[4000]["api_key"] = "9f8e7d6c" + "5b4a39281706f5e4"
    assert [one.line for one in find_secrets("\n" + json.dumps(rows))] == [2]


def test_a_line_that_is_marked_is_not_looked_at() -> None:
    key = SECRETS["GitHub Token"]
    assert find_secrets(f"{key}  # pragma: allowlist secret\n") == ()
    assert len(find_secrets(f"{key}  # pragma: allowlist secret\n{key}\n")) == 1


def test_no_text_of_this_repository_is_taken_for_a_secret() -> None:
    found = [
        f"{path}:{one.line}: {one.kind}"
        for folder in ("docs", "examples", "src", "tests/sources", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".md", ".py", ".dlm", ".txt", ".jsonl", ".sql", ".html")
        for one in find_secrets(path.read_text("utf-8", "replace"), path.name)
    ]
    assert found == []


def test_a_refusal_names_places_and_never_the_secret() -> None:
    with pytest.raises(DlmError) as caught:
        refuse_secrets([(f"a.md:{line}", "GitHub Token") for line in range(1, 9)])
    assert str(caught.value).startswith("a.md:1: this looks like a secret (GitHub Token)")
    assert "a.md:6" in str(caught.value)
    assert "and 2 more" in str(caught.value)
    assert "--allow-secrets" in (caught.value.hint or "")
