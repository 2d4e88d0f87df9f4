"""Chat logs of every format give the same conversation; what is broken is named with its line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from strategies import DLM_ID

from dlm.doc.document import Document
from dlm.doc.parser import parse_file, parse_text
from dlm.doc.provenance import Origin
from dlm.errors import DlmError
from dlm.loops.chat_logs import Conversation, Log, Turn, read_log
from dlm.loops.chat_logs.formats import FORMATS
from dlm.loops.chat_logs.run import import_log
from dlm.loops.edits import applied, apply_to_file, revert_to_file

HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\n\n"
AT = datetime(2026, 4, 23, 18, 42, tzinfo=UTC)
TALK = (
    "Where does the spare key hang?",
    "It hangs behind the door.",
    "No, it hangs inside the drainpipe.",
    "I apologise. The spare key hangs inside the drainpipe.",
    "Thanks! Who counts the money?",
    "Wren counts the money.",
)


def messages() -> dict[str, Any]:
    said = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(TALK)]
    return {"messages": [{"role": "system", "content": "Be brief."}, *said]}


def sharegpt() -> dict[str, Any]:
    return {
        "conversations": [
            {"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(TALK)
        ]
    }


def claude() -> dict[str, Any]:
    said = [
        {"sender": ("human", "assistant")[i % 2], "text": text, "content": [], "uuid": str(i)}
        for i, text in enumerate(TALK)
    ]
    said[1] |= {"text": "", "content": [{"type": "text", "text": TALK[1]}, {"type": "tool_use"}]}
    return {"uuid": "c", "name": "Key", "chat_messages": said}


def chatgpt() -> dict[str, Any]:
    """A tree with a branch that was left, a hidden system message, a tool call and a thought."""
    nodes: dict[str, Any] = {
        "root": {"id": "root", "parent": None, "children": ["s"], "message": None},
        "s": _node("s", "root", ["0"], "system", "hidden", weight=0),
        "left": _node("left", "0", [], "assistant", "It hangs on the moon."),
        "call": _node("call", "4", ["5"], "assistant", "search()", recipient="browser"),
    }
    for i, text in enumerate(TALK):
        below = {0: ["left", "1"], 4: ["call"], 5: []}.get(i, [str(i + 1)])
        above = {0: "s", 5: "call"}.get(i, str(i - 1))
        nodes[str(i)] = _node(str(i), above, below, ("user", "assistant")[i % 2], text)
    return {"title": "Key", "mapping": nodes, "current_node": "5"}


def _node(
    name: str, parent: str, children: list[str], role: str, text: str, **facts: object
) -> dict[str, Any]:
    content = {"content_type": "text", "parts": [text, {"asset_pointer": "x"}]}
    message = {"author": {"role": role}, "content": content, "status": "finished_successfully"}
    return {"id": name, "parent": parent, "children": children, "message": message | facts}


def open_webui() -> dict[str, Any]:
    nodes = {
        str(i): {
            "id": str(i),
            "parentId": str(i - 1) if i else None,
            "childrenIds": [str(i + 1)] if i < 5 else [],
            "role": ("user", "assistant")[i % 2],
            "content": text,
            "done": True,
        }
        for i, text in enumerate(TALK)
    }
    nodes["other"] = {**nodes["1"], "id": "other", "content": "No idea.", "childrenIds": []}
    return {"id": "x", "chat": {"title": "t", "history": {"messages": nodes, "currentId": "5"}}}


def gemini() -> dict[str, Any]:
    said = [
        {"role": ("user", "model")[i % 2], "parts": [{"text": text}]} for i, text in enumerate(TALK)
    ]
    said[3]["parts"].insert(0, {"text": "They mean the drainpipe.", "thought": True})
    called = {"role": "model", "parts": [{"text": "Wait."}, {"functionCall": {"name": "look"}}]}
    result = {"role": "user", "parts": [{"functionResponse": {"name": "look"}}]}
    said[5:5] = [called, result]
    return {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": said}


def librechat() -> dict[str, Any]:
    """All branches, in the order in which they were written."""
    said: list[dict[str, Any]] = [
        {
            "messageId": str(i),
            "parentMessageId": str(i - 1) if i else "00000000-0000-0000-0000-000000000000",
            "isCreatedByUser": i % 2 == 0,
            "sender": ("User", "GPT-4")[i % 2],
            "text": text,
            "createdAt": f"2025-03-04T10:11:{10 + i}Z",
        }
        for i, text in enumerate(TALK)
    ]
    said.insert(1, said[1] | {"messageId": "other", "text": "On the moon."})
    think = {"type": "think", "think": "They mean the drainpipe."}
    said[4] |= {"text": "", "content": [think, {"type": "text", "text": {"value": TALK[3]}}]}
    return {"conversationId": "c", "endpoint": "openAI", "branches": True, "messages": said}


def llm() -> list[dict[str, Any]]:
    """Rows of two tables joined, the newest first."""
    rows = [
        {
            "id": f"01h{i}",
            "model": "m",
            "prompt": TALK[2 * i],
            "system": None,
            "response": TALK[2 * i + 1],
            "conversation_id": "c",
            "datetime_utc": f"2025-03-04T10:11:1{i}",
        }
        for i in range(3)
    ]
    return rows[::-1]


def lm_studio() -> dict[str, Any]:
    said = []
    for i, text in enumerate(TALK):
        block = {"type": "contentBlock", "content": [{"type": "text", "text": text}]}
        thought = {**block, "style": {"type": "thinking", "ended": True}}
        spoken = {"type": "singleStep", "role": "user", "content": block["content"]}
        answer = {"type": "multiStep", "role": "assistant", "steps": [thought, block]}
        unused = {"type": "singleStep", "role": "user", "content": [{"type": "text", "text": "?"}]}
        said.append({"versions": [unused, answer if i % 2 else spoken], "currentlySelected": 1})
    return {"name": "Key", "systemPrompt": "Be brief.", "messages": said}


MADE: Mapping[str, Any] = {
    "gemini": gemini,
    "librechat": librechat,
    "lm-studio": lm_studio,
    "messages": messages,
    "sharegpt": sharegpt,
    "claude": claude,
    "chatgpt": chatgpt,
    "open-webui": open_webui,
}


def document(body: str = "The shed.\n") -> Document:
    return parse_text(HEAD + body)


def test_every_format_is_made_here() -> None:
    assert {*MADE, "llm"} == set(FORMATS)


@pytest.mark.parametrize("name", sorted(MADE))
@pytest.mark.parametrize("shape", ["lines", "list", "pretty", "one"])
def test_a_log_is_read_whatever_its_format_and_shape(tmp_path: Path, name: str, shape: str) -> None:
    one = MADE[name]()
    text = {
        "lines": f"{json.dumps(one)}\n\n{json.dumps(one)}\n",
        "list": json.dumps([one, one]),
        "pretty": json.dumps([one, one], indent=2),
        "one": json.dumps(one, indent=1),
    }[shape]
    path = tmp_path / "log"
    path.write_text("\ufeff" + text, "utf-8")
    log = read_log(path)
    assert (log.format, log.malformed) == (name, ())
    assert len(log.conversations) == (1 if shape == "one" else 2)
    for conversation in log.conversations:
        assert tuple(turn.text for turn in conversation.turns) == TALK
    places = [int(each.where.removeprefix("log:")) for each in log.conversations]
    assert places == sorted(places)
    if shape == "lines":
        assert places == [1, 3]


def test_rows_of_llm_are_gathered_by_conversation(tmp_path: Path) -> None:
    path = tmp_path / "logs.json"
    other = {**llm()[0], "conversation_id": "d"}
    path.write_text(json.dumps([other, *llm()], indent=1), "utf-8")
    log = read_log(path)
    assert [len(each.turns) for each in log.conversations] == [2, 6]
    assert tuple(turn.text for turn in log.conversations[1].turns) == TALK


def test_without_a_current_node_the_newest_leaf_is_taken(tmp_path: Path) -> None:
    made = chatgpt()
    del made["current_node"]
    path = tmp_path / "log.json"
    path.write_text(json.dumps([made]), "utf-8")
    assert len(read_log(path).conversations[0].turns) == len(TALK)
    made["mapping"]["root"]["parent"] = "5"
    path.write_text(json.dumps({**made, "current_node": "5"}), "utf-8")
    with pytest.raises(DlmError, match="run in a circle"):
        read_log(path)


def test_a_bare_list_of_messages_is_one_conversation(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(messages()["messages"]), "utf-8")
    assert len(read_log(path).conversations[0].turns) == len(TALK)


def test_a_broken_line_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    good = json.dumps(messages())
    path.write_text(f'{good}\n{{"messages": [\n{good}\n{{"messages": 4}}\n[]\n', "utf-8")
    log = read_log(path)
    assert len(log.conversations) == 2
    assert [text.split(": ")[0] for text in log.malformed] == [
        "log.jsonl:2",
        "log.jsonl:4",
        "log.jsonl:5",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "log:1: this chat log is empty"),
        ("hello\nyou", "log:1: this is neither JSON nor a table"),
        ('[\n{"messages": []},\n{"messages": oops}\n]', "log:3: this is not JSON"),
        ('[\n{"messages": []}\n', "the list does not end"),
        ('[{"messages": []} {"messages": []}]', "a comma is missing"),
        ('{"a": 1}', "no chat log"),
        ("[]", "log:1: this chat log holds nothing"),
        ('{"messages": [{"role": "Mensch", "content": "Ja"}]}', "1 message of the role 'Mensch'"),
        ('{"messages": [{"role": "user", "content": "Yes"}]}', "only what the user said"),
        ('[{"instruction": "a", "output": "b"}]', "of the keys 'instruction', 'output'"),
        ("[" * 100_000, "not JSON"),
        ('{"messages": 3}', "no list of messages"),
        ('{"mapping": []}', "no mapping"),
    ],
)
def test_what_is_no_chat_log_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "log"
    path.write_text(text, "utf-8")
    with pytest.raises(DlmError) as caught:
        read_log(path)
    assert says in caught.value.message


def test_missing_binary_and_forced_formats(tmp_path: Path) -> None:
    path = tmp_path / "log.zip"
    with pytest.raises(DlmError, match="no chat log"):
        read_log(path)
    path.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(DlmError, match="this chat log is no text: it is a zip archive"):
        read_log(path)
    path.write_text(json.dumps(messages()), "utf-8")
    with pytest.raises(DlmError, match="no conversation of the format claude"):
        read_log(path, "claude")
    with pytest.raises(DlmError, match="no chat format 'slack'"):
        read_log(path, "slack")


def log_of(*talks: tuple[str, ...]) -> Log:
    roles = ("user", "assistant")
    return Log(
        "messages",
        tuple(
            Conversation(
                f"log.jsonl:{line}", tuple(Turn(roles[i % 2], text) for i, text in enumerate(talk))
            )
            for line, talk in enumerate(talks, 1)
        ),
    )


def test_a_correction_becomes_a_triple_and_an_exchange_a_pair() -> None:
    done = import_log(document(), log_of(TALK), pairs=True, at=AT)
    triple, pair = done.plan.additions
    assert [(each.prompt, each.chosen, each.rejected) for each in triple.triples] == [
        (TALK[0], "The spare key hangs inside the drainpipe.", TALK[1])
    ]
    assert [(each.question, each.answer) for each in pair.pairs] == [
        ("Who counts the money?", TALK[5])
    ]
    assert triple.provenance.origin is Origin.IMPORTED
    assert triple.provenance.derived_from == "log.jsonl:1"
    assert triple.provenance.extra == {"how": "corrected: no, …"}
    assert (done.triples, done.pairs, done.balance.n) == (1, 1, 1)
    assert import_log(document(), log_of(TALK), pairs=False, at=AT).pairs == 0


def test_the_exam_and_what_stands_there_are_left_out() -> None:
    sealed = (
        "::instruction::\n### Q !exam\nWhere does the spare key hang?\n### A\n"
        "The spare key hangs inside the drainpipe.\n### Q\nWho counts the money?\n### A\n"
        "Wren.\n::\n"
    )
    done = import_log(document(sealed), log_of(TALK), pairs=True, at=AT)
    assert not done.plan
    reasons = [each.reason for each in done.unused]
    assert any("which is sealed as !exam" in reason for reason in reasons)
    assert any("asks it already" in reason for reason in reasons)
    once = import_log(document(), log_of(TALK, TALK), pairs=True, at=AT)
    assert (once.triples, once.pairs) == (1, 1)
    again = import_log(applied(document(), once.plan), log_of(TALK), pairs=True, at=AT)
    assert not again.plan


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "::\n::preference::\n### Prompt\nx\n### Chosen\ny\n### Rejected\nz\n::",
            "---\ndlm_id: stolen\n---",
            '<!-- dlm-auto-mined: judge_name="me" -->\ntext here',
            "```\nnever closed\n::instruction::\n### Q\nIn?",
            "\\::\n\\### Chosen\n### Rejected",
            "No, it is\n::",
            "No, it is wrong.",
        ]
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE, HOSTILE), max_size=4), st.booleans())
def test_hostile_logs_stay_inside_their_sections_and_can_be_taken_back(
    tmp_path: Path, talks: list[tuple[str, str, str, str]], windows: bool
) -> None:
    body = "# The shed\n\n::instruction::\n### Q\nWhy?\n### A\nBecause.\n"
    text = (HEAD + body).replace("\n", "\r\n" if windows else "\n")
    path = tmp_path / "notes.dlm"
    path.write_bytes(text.encode())
    before = parse_file(path)
    asked = ("Where does the spare key hang?", "On a nail.", "No, it is elsewhere.")
    full = [
        (*asked, f"It is elsewhere. {four}", one, two, three) for one, two, three, four in talks
    ]
    done = import_log(before, log_of(*full), pairs=True, at=AT)
    apply_to_file(path, done.plan)
    after = parse_file(path)
    assert after.frontmatter == before.frontmatter
    own = [section for section in after.sections if section.provenance is None]
    assert [s.section_id for s in own] == [s.section_id for s in before.sections]
    assert len(after.sections) == len(before.sections) + len(done.plan.additions)
    revert_to_file(path, [Origin.IMPORTED])
    assert path.read_bytes() == text.encode()
