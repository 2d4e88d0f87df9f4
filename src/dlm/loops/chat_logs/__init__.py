"""Chat logs, read into plain conversations: one small reader a format."""

from dlm.loops.chat_logs.formats import FORMATS, read_log
from dlm.loops.chat_logs.values import Conversation, Log, Turn

__all__ = ["FORMATS", "Conversation", "Log", "Turn", "read_log"]
