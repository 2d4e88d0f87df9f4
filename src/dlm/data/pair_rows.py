"""Preference triples as token rows: the same prompt with the better and with the worse answer."""

from __future__ import annotations

from dataclasses import dataclass

from dlm.data.chat import Codec
from dlm.data.lessons import Lesson
from dlm.data.rows import Row, RowKind
from dlm.errors import TrainingError


@dataclass(frozen=True, slots=True)
class PairRow:
    """One triple to compare. `reference` are both answers' summed log-probabilities before."""

    chosen: Row
    rejected: Row
    reference: tuple[float, float] = (0.0, 0.0)

    @property
    def lesson(self) -> Lesson:
        """The triple."""
        return self.chosen.lesson

    @property
    def weight(self) -> float:
        """How far the triple is trusted."""
        return self.lesson.weight


def pair_rows(
    triples: tuple[Lesson, ...], codec: Codec, *, sequence_length: int, path: str
) -> tuple[PairRow, ...]:
    """Encode every triple; raises TrainingError naming the line of one that is too long."""
    return tuple(_pair_row(one, codec, sequence_length, path) for one in triples)


def _pair_row(one: Lesson, codec: Codec, sequence_length: int, path: str) -> PairRow:
    rows: list[Row] = []
    for name, answer in (("chosen", one.chosen), ("rejected", one.rejected)):
        encoded = codec.pair(one.prompt, answer)
        if len(encoded.ids) > sequence_length:
            raise TrainingError(
                f"{path}:{one.line}: this triple takes {len(encoded.ids)} tokens with its {name} "
                f"answer, more than the sequence length of {sequence_length}",
                hint="shorten the answer, or raise training.sequence_len in the frontmatter",
            )
        rows.append(Row.of(RowKind.PAIR, encoded, one))
    chosen, rejected = rows
    return PairRow(chosen, rejected)
