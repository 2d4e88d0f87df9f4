"""Tokens to text, piece by piece: whole characters only, and nothing from a stop text on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_INCOMPLETE = "\ufffd"


class TextStream:
    """What `put` and `finish` return is, joined, the text of all tokens up to the first stop.

    With `strip`, white space at either end is left out, as in an answer.
    """

    def __init__(
        self,
        decode: Callable[[Sequence[int]], str],
        stops: Sequence[str] = (),
        *,
        strip: bool = False,
    ) -> None:
        self._decode, self._stops, self._strip = decode, stops, strip
        self._ids: list[int] = []
        self._from = self._read = 0  # tokens that are decoded again, and those that are told
        self._held = ""  # white space that may be the end, or what may become a stop text
        self._began = False
        self.stopped = False

    def put(self, token: int) -> str:
        """The text that is certain now; "" while there is none."""
        if self.stopped:
            return ""
        self._ids.append(token)
        known = self._decode(self._ids[self._from : self._read])
        text = self._decode(self._ids[self._from :])
        if len(text) <= len(known) or text.endswith(_INCOMPLETE):
            return ""
        self._from, self._read = self._read, len(self._ids)
        return self._certain(text[len(known) :])

    def finish(self) -> str:
        """The rest, when no token follows."""
        if self.stopped:
            return ""
        known = self._decode(self._ids[self._from : self._read])
        rest = self._decode(self._ids[self._from :])[len(known) :]
        text = self._certain(rest) + ("" if self.stopped else self._held)
        self._held = ""
        return text.rstrip() if self._strip else text

    def _certain(self, text: str) -> str:
        text = self._held + text
        self._held = ""
        if self._strip and not self._began:
            text = text.lstrip()
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            self.stopped = True
            text = text[: min(places)]
            text = text.rstrip() if self._strip else text
        else:
            keep = max((_overlap(text, stop) for stop in self._stops), default=0)
            if self._strip:
                body = text[: len(text) - keep]
                keep += len(body) - len(body.rstrip())
            text, self._held = text[: len(text) - keep], text[len(text) - keep :]
        self._began = self._began or bool(text)
        return text


def cut_at(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text up to the first stop text, and whether there was one."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


def _overlap(text: str, stop: str) -> int:
    """How much of the end of `text` may be the beginning of `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
