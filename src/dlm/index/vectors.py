"""Static word vectors from the `wordllama` package, where it is installed: meaning without a model.

Only its two data files are read (32,000 x 256 half floats and a tokenizer); nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WEIGHTS: Final = "weights/l2_supercat_256.safetensors"
_TOKENIZER: Final = "tokenizers/l2_supercat_tokenizer_config.json"


class WordVectors:
    """Token vectors by word; see `word_vectors`."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._rows: NDArray[np.float16] = next(iter(load_file(folder / _WEIGHTS).values()))
        self._tokenizer: Any = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def sums(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The summed token vectors of each word, (N, D)."""
        import numpy as np

        sums = np.zeros((len(words), self._rows.shape[1]), dtype=np.float32)
        for at, encoding in enumerate(
            self._tokenizer.encode_batch(list(words), add_special_tokens=False)
        ):
            sums[at] = self._rows[encoding.ids].astype(np.float32).sum(axis=0)
        return sums


@lru_cache(maxsize=1)
def word_vectors() -> WordVectors | None:
    """The vectors, None where the package is not installed."""
    spec = find_spec("wordllama")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place)
        if (folder / _WEIGHTS).exists() and (folder / _TOKENIZER).exists():
            return WordVectors(folder)
    return None
