"""Chat logs and preference files, read into plain conversations and comparisons."""

from dlm.loops.chat_logs.formats import KNOWN, read_log, told
from dlm.loops.chat_logs.messages import Comparison, Conversation, Log, Turn

__all__ = ["KNOWN", "Comparison", "Conversation", "Log", "Turn", "read_log", "told"]
