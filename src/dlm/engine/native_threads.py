"""numpy's matrix products on one thread.

Its OpenBLAS wakes every core for products that take microseconds, and on a busy machine waits for
them ten times longer than one core needs. Where numpy was built otherwise, nothing is changed.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep matrix products on the calling thread inside; the old number of threads comes back."""
    library = _openblas()
    if library is None:
        yield
        return
    before = library.scipy_openblas_get_num_threads64_()
    library.scipy_openblas_set_num_threads64_(1)
    try:
        yield
    finally:
        library.scipy_openblas_set_num_threads64_(before)


@cache
def _openblas() -> ctypes.CDLL | None:
    """The copy of OpenBLAS that numpy's own wheels bring and have loaded already."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in folder.glob("libscipy_openblas64_*"):
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(str(path))
                library.scipy_openblas_get_num_threads64_.restype = ctypes.c_int
                library.scipy_openblas_set_num_threads64_.argtypes = [ctypes.c_int]
                return library
    return None
