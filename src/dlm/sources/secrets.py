"""Finds keys, tokens and private key blocks in a text, each with its line.

The patterns are those of detect-secrets, without asking anybody whether a key is valid, and without
its guesses by entropy, which prose sets off. What a match must hold is looked for first, so that a
text without any costs next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from dlm.errors import DlmError

ALLOWED: Final = "pragma: allowlist secret"
"""A line that says so is not looked at; other tools know the mark too."""

# What a line must hold in small letters for a detector of detect-secrets to be asked about it.
_DETECTORS: Final = {
    "aws.AWSKeyDetector": ("akia", "asia", "abia", "acca", "a3t", "aws"),
    "azure_storage_key.AzureStorageKeyDetector": ("accountkey=",),
    "basic_auth.BasicAuthDetector": ("://",),
    "cloudant.CloudantDetector": ("cloudant",),
    "discord.DiscordBotTokenDetector": ("discord", "bot_token", "bottoken"),
    "github_token.GitHubTokenDetector": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    "gitlab_token.GitLabTokenDetector": (
        *("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "gr1348"),
        *("glcbt-", "glimt-", "glptt-", "glagent-", "gloas-"),
    ),
    "ibm_cloud_iam.IbmCloudIamDetector": ("ibm",),
    "jwt.JwtTokenDetector": ("eyj",),
    "mailchimp.MailchimpDetector": ("-us",),
    "npm.NpmDetector": (":_authtoken",),
    "openai.OpenAIDetector": ("t3blbkfj",),
    "private_key.PrivateKeyDetector": ("private key", "putty-user-key"),
    "pypi_token.PypiTokenDetector": ("pypi-age",),
    "sendgrid.SendGridDetector": ("sg.",),
    "slack.SlackDetector": ("xox", "hooks.slack.com"),
    "softlayer.SoftlayerDetector": ("softlayer",),
    "square_oauth.SquareOAuthDetector": ("sq0csp-",),
    "stripe.StripeDetector": ("k_live_",),
    "telegram_token.TelegramBotTokenDetector": (":aa",),
    "keyword.KeywordDetector": ("_key", "apikey", "api-key", "pass", "pwd", "secret"),
}
# Those that detect-secrets does not know yet: kind, what the text must hold, pattern.
_TOKENS: Final = (
    ("Anthropic Token", "sk-ant-", re.compile(r"\bsk-ant-[A-Za-z0-9_-]{24,}")),
    ("GitHub Token", "github_pat_", re.compile(r"\bgithub_pat_[A-Za-z0-9_]{60,}")),
    ("Google API Key", "aiza", re.compile(r"\bAIza[0-9A-Za-z_-]{35}(?![\w-])")),
    ("Hugging Face Token", "hf_", re.compile(r"\bhf_[A-Za-z]{34}(?!\w)")),
    ("OpenAI Token", "sk-", re.compile(r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}")),
    ("Private Key", "encrypted priv", re.compile(r"BEGIN ENCRYPTED PRIVATE[ ]KEY")),
    ("Twilio API Key", "twilio", re.compile(r"(?<!\w)(?:AC|SK)[0-9a-f]{32}(?!\w)")),
)
_KEYWORD: Final = "Secret Keyword"
_BASIC: Final = "Basic Auth Credentials"
_CONFIG: Final = (".env", ".ini", ".cfg", ".conf", ".toml", ".yaml", ".yml", ".properties")
_RANDOM: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/=_.~!@#%^&-]{16,}")
_PLACEHOLDER: Final = re.compile(
    r"(?i)example|placeholder|change.?me|dummy|sample|redacted|your|xxx|\*\*\*|\.\.\.|[<>{}$%]|"
    r"1234|abcd|^(?:pass(?:word|wd)?|secret|token|pw|pwd|test|user|admin|guest|foo|bar|key)$"
)
# Spares the slow patterns most of the lines that hold an everyday word.
_NEEDED: Final = {
    "basic_auth.BasicAuthDetector": re.compile(r"://[^\s@]*:[^\s@]{8,}@"),
    "keyword.KeywordDetector": re.compile(r"[=:(>]\s*[\"'`]?[A-Za-z0-9+/=_.~!@#%^&-]{16}"),
}
# Characters before and after a hint that may belong to a match, since a line may be as long as its
# file; then how far to go on, half of what was seen after it if 0.
_USUAL_REACH: Final = (200, 400, 0)
_REACH: Final = {
    "basic_auth.BasicAuthDetector": (0, 200, 0),
    "jwt.JwtTokenDetector": (0, 4_000, 0),
    "keyword.KeywordDetector": (9, 300, 1),  # it sees the first of a line alone
}
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, order=True)
class Secret:
    """The line of a secret, counted from 1, and what it looks like; never the secret itself."""

    line: int
    kind: str


def find_secrets(text: str, name: str = "") -> tuple[Secret, ...]:
    """What looks like a secret in a text; `name` is its file's, which tells a file of settings."""
    small = text.lower()
    found: dict[int, str] = {}
    for kind, hint, pattern in _TOKENS:
        for match in pattern.finditer(text) if hint in small else ():
            found.setdefault(text.count("\n", 0, match.start()) + 1, kind)
    for key, hints in _DETECTORS.items():
        for at, part in _around(text, small, hints, *_REACH.get(key, _USUAL_REACH)):
            if guess := _kind(key, part, name):
                found.setdefault(text.count("\n", 0, at) + 1, guess)
    lines = text.split("\n") if found else []
    return tuple(
        Secret(line, kind) for line, kind in sorted(found.items()) if ALLOWED not in lines[line - 1]
    )


def refuse_secrets(found: Sequence[tuple[str, str]]) -> None:
    """Raise DlmError, naming each place, when something looks like a secret.

    `found` are places and what stands there.
    """
    if not found:
        return
    (place, kind), others = found[0], found[1:]
    also = "; ".join(f"{place} ({kind})" for place, kind in others[:_SHOWN])
    left = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    raise DlmError(
        f"{place}: this looks like a secret ({kind})" + (f"; so do {also}{left}" if also else ""),
        hint="a model can repeat what it was trained on: take it out, or leave the file out; "
        "--allow-secrets takes it all the same",
    )


def _around(
    text: str, small: str, hints: Iterable[str], before: int, after: int, step: int
) -> Iterator[tuple[int, str]]:
    """(offset, text) of each hint with what stands around it in its line."""
    if len(small) != len(text):  # a capital that is two small letters, as in Turkish
        small = text
    for hint in hints:
        at = small.find(hint)
        while at >= 0:
            start = max(text.rfind("\n", 0, at) + 1, at - before)
            end = text.find("\n", at, at + after)
            yield at, text[start : end if end >= 0 else at + after]
            on = at + (step or after // 2)
            at = small.find(hint, max(at + len(hint), on if end < 0 else min(on, end)))


def _kind(key: str, part: str, name: str) -> str | None:
    """What a part of a line holds, by one detector."""
    needed = _NEEDED.get(key)
    if needed and not needed.search(part):
        return None
    detector = _detector(key)
    kind: str = detector.secret_type
    real = any(_is_real(kind, secret) for secret in _matches(detector, part, name))
    return kind if real else None


def _matches(detector: Any, part: str, name: str) -> Iterator[str]:
    if detector.secret_type == _KEYWORD and name.lower().endswith(_CONFIG):
        from detect_secrets.plugins.keyword import CONFIG_DENYLIST_REGEX_TO_GROUP

        yield from detector.analyze_string(part, CONFIG_DENYLIST_REGEX_TO_GROUP)
    else:
        yield from detector.analyze_string(part)


def _is_real(kind: str, secret: str) -> bool:
    """Whether a value that stands where a secret would is one, and not what explains the place."""
    if kind not in (_KEYWORD, _BASIC):
        return True
    secret = secret.strip()
    if _PLACEHOLDER.search(secret):
        return False
    return len(secret) >= 8 if kind == _BASIC else _RANDOM.fullmatch(secret) is not None


@cache
def _detector(key: str) -> Any:
    from importlib import import_module

    module, _, name = key.partition(".")
    return getattr(import_module(f"detect_secrets.plugins.{module}"), name)()
