"""The body of a call, read: plain `{"method", "params"}` or JSON-RPC 2.0, one or a batch.

Pure: bytes in, calls or complaints out, and answers back into JSON of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dlm.doc.render import CANNOT_STAND
from dlm.serve.bodies import json_of
from dlm.serve.refusals import Refused

METHOD: Final = "inject_probe"
_MOST_TAGS: Final = 32
_NO_ID: Final = object()


@dataclass(frozen=True, slots=True)
class Injection:
    """The parameters of `inject_probe`, checked."""

    prompt: str
    reference: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a call, as an HTTP status and a JSON-RPC code."""

    status: int
    code: int
    message: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what is asked, or what is wrong with it, and how its caller wants the answer."""

    asked: Injection | Complaint
    is_rpc: bool = False
    id: Any = None
    wants_answer: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """All calls of one body; a batch is answered by a list."""

    calls: tuple[Call, ...]
    is_batch: bool = False


def read_message(body: bytes) -> Message:
    """The calls of a body; whatever is wrong is a Complaint in the place of the call."""
    try:
        value = json_of(body)
    except Refused as refused:
        return Message((Call(Complaint(400, -32700, refused.message)),))
    if not isinstance(value, list):
        return Message((_call(value),))
    if not value:
        complaint = Complaint(400, -32600, "the batch is empty")
        return Message((Call(complaint, is_rpc=True),))
    return Message(tuple(_call(item, in_batch=True) for item in value), is_batch=True)


def answer(call: Call, outcome: dict[str, Any] | Complaint) -> dict[str, Any]:
    """The JSON that answers a call, in the kind it was asked in."""
    if isinstance(outcome, Complaint):
        if not call.is_rpc:
            return {"accepted": False, "error": outcome.message, **(outcome.data or {})}
        error = {"code": outcome.code, "message": outcome.message}
        if outcome.data:
            error["data"] = outcome.data
        return {"jsonrpc": "2.0", "id": call.id, "error": error}
    return {"jsonrpc": "2.0", "id": call.id, "result": outcome} if call.is_rpc else outcome


def _call(value: Any, *, in_batch: bool = False) -> Call:
    """One call. Batches exist in JSON-RPC only, so that every answer has the id of its call."""
    if not isinstance(value, dict):
        complaint = Complaint(400, -32600, "a call is a JSON object")
        return Call(complaint, is_rpc=in_batch)
    is_rpc = in_batch or "jsonrpc" in value
    id = value.get("id", _NO_ID)
    known = None if id is _NO_ID or not _can_be_id(id) else id
    if is_rpc and value.get("jsonrpc") != "2.0":
        complaint = Complaint(400, -32600, 'jsonrpc is not "2.0"')
        return Call(complaint, is_rpc=True, id=known)
    if is_rpc and id is not _NO_ID and not _can_be_id(id):
        complaint = Complaint(400, -32600, "id is neither a string, a number nor null")
        return Call(complaint, is_rpc=True)
    return Call(_asked(value), is_rpc, known, wants_answer=not is_rpc or id is not _NO_ID)


def _can_be_id(value: Any) -> bool:
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))


def _asked(value: dict[str, Any]) -> Injection | Complaint:
    method = value.get("method")
    if not isinstance(method, str):
        return Complaint(400, -32600, "method is missing or not a string")
    if method != METHOD:
        return Complaint(404, -32601, f"there is no such method; there is {METHOD}")
    params = value.get("params")
    if not isinstance(params, dict):
        return _invalid("params is missing or not an object")
    for name in ("prompt", "reference"):
        text = params.get(name)
        if not isinstance(text, str):
            return _invalid(f"{name} is missing or not a string")
        if not text.strip():
            return _invalid(f"{name} is empty")
        if CANNOT_STAND.search(text):
            return _invalid(f"{name} holds a character that no document can hold")
    tags = params.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return _invalid("tags is not a list of strings")
    if len(tags) > _MOST_TAGS or any(not tag.strip() or CANNOT_STAND.search(tag) for tag in tags):
        return _invalid(f"tags are at most {_MOST_TAGS}, none of them empty")
    return Injection(params["prompt"], params["reference"], tuple(tags))


def _invalid(message: str) -> Complaint:
    return Complaint(400, -32602, message)
