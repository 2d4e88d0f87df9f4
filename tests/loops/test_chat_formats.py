"""What chat programs write beside what was said: none of it is learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlm.errors import DlmError
from dlm.loops.chat_logs import KNOWN, Log, read_log
from dlm.loops.chat_logs.run import found_between, found_in
from dlm.loops.chat_logs.text import asked, plain
from dlm.loops.edits import NewPair, NewTriple
from dlm.loops.proposals import Proposal, Unused

Q, A = "How many oars has the hut?", "The hut has four oars."
ONCE = [(Q, A)]


def read(folder: Path, value: Any) -> Log:
    path = folder / "log.json"
    path.write_text(json.dumps(value), "utf-8")
    return read_log(path)


def exchanges(log: Log) -> list[tuple[str, str]]:
    found = [each for one in log.conversations for each in found_in(one)]
    pairs = [one.content for one in found if isinstance(one, Proposal)]
    return [(one.question, one.answer) for one in pairs if isinstance(one, NewPair)]


def triple(found: Proposal | Unused) -> NewTriple:
    assert isinstance(found, Proposal)
    assert isinstance(found.content, NewTriple)
    return found.content


def chatgpt(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """A chain of messages, whose content is a text unless it says otherwise."""
    nodes: dict[str, Any] = {}
    for place, message in enumerate(messages):
        content = {"content_type": "text", "parts": [message.pop("text", "")]}
        whole = {"content": content, "recipient": "all", "metadata": {}, "weight": 1.0} | message
        whole["author"] = {"role": whole.pop("role")}
        above = str(place - 1) if place else None
        nodes[str(place)] = {"id": str(place), "parent": above, "message": whole}
    return [{"mapping": nodes, "current_node": str(len(nodes) - 1)}]


def of_kind(kind: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": {"content_type": kind, **more}}


USER = {"role": "user", "text": Q}
ANSWER = {"role": "assistant", "text": A}
SEARCH = {"recipient": "web", **of_kind("code", text="search()")}
CANVAS = {
    "role": "assistant",
    "recipient": "canmore.create_textdoc",
    "text": '{"name": "oars", "type": "document", "content": "Many oars."}',
}


@pytest.mark.parametrize(
    "messages",
    [
        [USER, of_kind("thoughts", thoughts=[]), of_kind("reasoning_recap", content="3 s"), ANSWER],
        [
            {"role": "user", "text": "Write a note on oars."},
            CANVAS,
            {"role": "tool", "text": "Successfully created"},
            {"role": "assistant", "text": "I have written the note."},
            USER,
            ANSWER,
        ],
        [USER, {"role": "assistant", "text": "Let me look."}, SEARCH, ANSWER],
        [USER, {"role": "assistant", "text": "Hm.", "channel": "commentary"}, ANSWER],
        [{"role": "user", **of_kind("user_editable_context")} | {"role": "user"}, USER, ANSWER],
        [{"role": "user", "text": "Boo?"}, of_kind("system_error", text="boom"), USER, ANSWER],
        [USER, {**ANSWER, "text": "The hut has four oars.\ue200cite\ue202turn0search1\ue201"}],
        [USER, {"role": "assistant", "text": "The hut has four oars【7†source】."}],
    ],
    ids=["thoughts", "canvas", "search", "commentary", "context", "error", "cite", "dagger"],
)  # fmt: skip
def test_of_chatgpt_only_what_was_said_is_read(
    tmp_path: Path, messages: list[dict[str, Any]]
) -> None:
    made = chatgpt(*[dict(message) for message in messages])
    assert exchanges(read(tmp_path, made)) == ONCE


def test_voices_are_read_from_their_transcriptions(tmp_path: Path) -> None:
    def spoken(role: str, text: str) -> dict[str, Any]:
        heard = {"content_type": "audio_transcription", "text": text}
        sound = {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://x"}
        return {
            "role": role,
            "content": {"content_type": "multimodal_text", "parts": [heard, sound]},
        }

    log = read(tmp_path, chatgpt(spoken("user", Q), spoken("assistant", A)))
    assert exchanges(log) == ONCE
    assert log.left_out["part of the kind 'audio_asset_pointer'"] == 2
    silent = chatgpt(spoken("user", ""), spoken("assistant", ""))
    for node in silent[0]["mapping"].values():
        del node["message"]["content"]["parts"][0]
    with pytest.raises(DlmError, match="holds nothing that was said, and 2 parts of the kind"):
        read(tmp_path, silent)


def claude(*messages: tuple[str, str, str, Any, str]) -> list[dict[str, Any]]:
    return [
        {
            "chat_messages": [
                {
                    "uuid": name,
                    "parent_message_uuid": above,
                    "sender": who,
                    "text": text if isinstance(text, str) else "",
                    "content": text if isinstance(text, list) else [],
                    "created_at": f"2025-03-04T10:11:{at}Z",
                }
                for name, above, who, text, at in messages
            ]
        }
    ]


def test_of_claude_the_branch_that_ends_last_is_read(tmp_path: Path) -> None:
    first = ("q", "0", "human", Q, "10")
    late, early = ("a", "q", "assistant", A, "19"), ("b", "q", "assistant", "It has two.", "11")
    assert exchanges(read(tmp_path, claude(first, late, early))) == ONCE
    edited = ("r", "0", "human", "And the boat?", "12")
    assert exchanges(read(tmp_path, claude(first, early, edited, late))) == ONCE
    made = claude(first, early, late)
    made[0]["current_leaf_message_uuid"] = "b"
    assert exchanges(read(tmp_path, made)) == [(Q, "It has two.")]


def test_of_claude_the_answer_is_what_follows_the_last_tool(tmp_path: Path) -> None:
    parts = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "name": "web_search", "input": {}},
        {"type": "tool_result", "content": [{"type": "text", "text": "oars"}]},
        {"type": "text", "text": "The hut has "},
        {"type": "text", "text": "four oars."},
    ]
    made = claude(("q", "0", "human", Q, "10"), ("a", "q", "assistant", parts, "11"))
    assert exchanges(read(tmp_path, made)) == ONCE
    del parts[3:]
    made = claude(("q", "0", "human", Q, "10"), ("a", "q", "assistant", parts, "11"))
    assert exchanges(read(tmp_path, made)) == []


def said(*contents: Any, **more: Any) -> dict[str, Any]:
    """Messages of user and assistant in turn; a dict is one message as it stands."""
    roles = ("user", "assistant")
    return {
        "messages": [
            one if isinstance(one, dict) else {"role": roles[place % 2], "content": one}
            for place, one in enumerate(contents)
        ],
        **more,
    }


CALL = {"role": "assistant", "content": "Let me look.", "tool_calls": [{"id": "c"}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "4"}
ANTHROPIC_CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "c"}]}
ANTHROPIC_RESULT = {"role": "user", "content": [{"type": "tool_result", "content": "4"}]}
LAST = {"role": "assistant", "content": A}
PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (said(Q, CALL, RESULT, LAST, tools=[{"type": "function"}]), ONCE),
        (said(Q, ANTHROPIC_CALL, ANTHROPIC_RESULT, LAST), ONCE),
        (said(Q, CALL), []),
        (said(Q, {**LAST, "weight": 0}), []),
        (said(Q, {**LAST, "weight": 1}), ONCE),
        (said(Q, {**LAST, "finish_reason": "length"}), []),
        (said(Q, {**LAST, "annotation": {"rating": -1}}), []),
        (said(Q, {**LAST, "feedback": {"rating": "thumbsUp"}}), ONCE),
        (said("Write a note.", "<antArtifact title='n'>Oars</antArtifact>Here it is.", Q, A), ONCE),
        (said(Q, A, PICTURE, {"role": "assistant", "content": "I see a boat here."}), ONCE),
        (said(Q, f"<think>\nhm\n</think>\n\n{A}"), ONCE),
        ([said(Q, A)["messages"], said(Q, A)["messages"]], [*ONCE, *ONCE]),
        (said({"type": "user", "content": Q}, {"type": "gemini", "content": A}), ONCE),
        ({"chunkedPrompt": {"chunks": [
            {"role": "user", "text": Q},
            {"role": "model", "text": "hm", "isThought": True},
            {"role": "model", "text": A, "finishReason": "STOP"},
        ]}}, ONCE),
        (
            [{"role": "user", "parts": [{"text": Q}]}, {"role": "model", "parts": [{"text": A}]}],
            ONCE,
        ),
        ({"conversations": [
            {"from": "human", "value": Q},
            {"from": "function_call", "value": "{}"},
            {"from": "observation", "value": "{}"},
            {"from": "gpt", "value": "<div class='markdown'><p>The hut has four oars.</p></div>"},
        ]}, ONCE),
        ([{"chat": {"history": {"currentId": "d", "messages": {
            "a": {"role": "user", "content": "Boo?"},
            "b": {"parentId": "a", "role": "assistant", "content": "", "error": {"content": "500"}},
            "c": {"parentId": "b", "role": "user", "content": Q},
            "d": {"parentId": "c", "role": "assistant", "sources": [{}],
                  "content": "The hut has four oars [1]."},
        }}}}], ONCE),
        ({"messagesTree": [{"messageId": "a", "isCreatedByUser": True, "text": Q, "children": [
            {"messageId": "b", "parentMessageId": "a", "isCreatedByUser": False,
             "text": f":::thinking\nhm\n:::\n{A}", "children": []},
        ]}]}, ONCE),
        ([{"prompt": Q, "response": "", "tool_calls": [{}], "conversation_id": "c", "id": "1"},
          {"prompt": "", "response": A, "tool_results": [{}], "conversation_id": "c"}], ONCE),
    ],
)  # fmt: skip
def test_tools_thoughts_and_what_is_marked_are_not_learned(
    tmp_path: Path, value: Any, expected: list[tuple[str, str]]
) -> None:
    assert exchanges(read(tmp_path, value)) == expected


def test_an_answer_that_weighs_nothing_may_be_the_worse_one(tmp_path: Path) -> None:
    bad = {"role": "assistant", "content": "The hut has two oars.", "weight": 0}
    log = read(tmp_path, said(Q, bad, "No, it has four.", A))
    (found,) = found_in(log.conversations[0])
    assert (triple(found).chosen, triple(found).rejected) == (A, bad["content"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>hm</think>\nFour.", "Four."),
        ("hm\n</think>\n\nFour.", "Four."),
        ("<think>it never ends", ""),
        ("The model opens `<think>` first.", "The model opens `<think>` first."),
        ("<thought>hm</thought>Four.", "Four."),
        ("[THINK]hm[/THINK]Four.", "Four."),
        ("◁think▷hm◁/think▷Four.", "Four."),
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>4.",
            "4.",
        ),
        ('<details type="reasoning">\n<summary>Hm</summary>\n> a\n</details>\nFour.', "Four."),
        ("<details>\n<summary>Thought for 3 s</summary>\nhm\n</details>\nFour.", "Four."),
        ('Four.\n<tool_call>\n{"name": "look"}\n</tool_call>', "Four."),
        ('At \ue200entity\ue202["place","Pell Quay","quay"]\ue201.', "At Pell Quay."),
        ("[cite_start]Four [cite: 1, 2].", "Four."),
        ("Four.[^1^] Two [citation:3].", "Four. Two."),
        ("Four :contentReference[oaicite:0]{index=0}.", "Four."),
        (':::writing{variant="email"}\nDear Ada,\n:::', "Dear Ada,"),
        ("Four<br>and<br/><strong>two</strong> &amp; more.", "Four\nand\n**two** & more."),
        ('Four <sup><a href="x">[1]</a></sup> oars.', "Four oars."),
        ("Write `<b>` or\n```html\n<p>x</p>\n```", "Write `<b>` or\n```html\n<p>x</p>\n```"),
        ("a < b and <frob> c", "a < b and <frob> c"),
        (
            '<p>It is <span class="katex"><math><mi>x</mi><annotation>x^2</annotation></math>'
            '<span aria-hidden="true"><span>x</span>2</span></span>.</p>',
            "It is $x^2$.",
        ),
        (
            "<table><thead><tr><th>boat</th><th>oars</th></tr></thead><tbody><tr><td>red</td>"
            "<td>2</td></tr></tbody></table>",
            "| boat | oars |\n|---|---|\n| red | 2 |",
        ),
        ("<ol><li>red</li><li>blue</li></ol>", "1. red\n2. blue"),
        (
            '<pre><div><span>python</span><button>Copy code</button></div><code class="hljs '
            'language-python">if a &lt; 2:\n    b\n</code></pre>',
            "```python\nif a < 2:\n    b\n```",
        ),
    ],
)  # fmt: skip
def test_the_text_of_an_answer_is_what_its_reader_saw(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_numbers_are_sources_only_where_there_are_sources() -> None:
    assert plain("Four [1][2], x[0].", cited=True) == "Four, x[0]."
    assert plain("Four [1].") == "Four [1]."
    assert asked("Why is <b>x</b> bold?") == "Why is <b>x</b> bold?"


HUMAN = f"\n\nHuman: {Q}\n\nAssistant: "
ASKED = {"role": "user", "content": Q}


def conversation(answer: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = said(Q, answer)["messages"]
    return messages


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": Q, "chosen": A, "rejected": "Two."},
        {"prompt": [ASKED], "chosen": [LAST], "rejected": [{**LAST, "content": "Two."}]},
        {"chosen": conversation(f"<think>hm</think>{A}"), "rejected": conversation("Two.")},
        {"prompt": Q, "chosen": conversation(A), "rejected": conversation("Two."),
         "score_chosen": 9, "score_rejected": 2},
        {"chosen": f"{HUMAN}{A}", "rejected": f"{HUMAN}Two."},
        {"input": {"messages": [ASKED], "tools": []},
         "preferred_output": [LAST], "non_preferred_output": [{**LAST, "content": "Two."}]},
        {"instruction": Q, "input": "", "chosen": A, "rejected": "Two."},
        {"conversations": [{"from": "human", "value": Q}], "chosen": {"from": "gpt", "value": A},
         "rejected": {"from": "gpt", "value": "Two."}},
        {"messages": conversation(A), "rejected_response": "Two."},
        {"system": "Be brief.", "question": Q, "chosen": A, "rejected": "Two."},
    ],
    ids=lambda row: "-".join(row),
)  # fmt: skip
def test_a_preference_file_gives_triples(tmp_path: Path, row: dict[str, Any]) -> None:
    log = read(tmp_path, [row])
    assert log.format == "preference"
    (found,) = [found_between(one) for one in log.comparisons]
    assert triple(found) == NewTriple(Q, A, "Two.")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"chosen": A, "rejected": "Two."}, "does not say what was asked"),
        ({"prompt": Q, "chosen": A, "rejected": A}, "are the same"),
        ({"prompt": Q, "chosen": "", "rejected": A}, "not one message of the assistant each"),
        ({"prompt": f"<|im_start|>user\n{Q}", "chosen": A, "rejected": "2"}, "a chat template"),
        (
            {"prompt": Q, "chosen": A, "rejected": "2", "score_chosen": 1, "score_rejected": 2},
            "its scores do not prefer",
        ),
        ({"prompt": Q, "chosen": [CALL], "rejected": [LAST]}, "not one message of the assistant"),
    ],
)
def test_a_comparison_that_says_too_little_is_named(
    tmp_path: Path, row: dict[str, Any], says: str
) -> None:
    with pytest.raises(DlmError, match=says):
        read(tmp_path, [row])


def test_an_unknown_format_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(DlmError) as caught:
        read(tmp_path, [{"type": "user", "message": {"role": "user", "content": "x"}}])
    assert all(name in caught.value.message for name in KNOWN)
    assert "'type', 'message'" in caught.value.message
