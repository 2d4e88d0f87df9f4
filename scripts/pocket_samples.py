"""Write the samples that ship with the embedded base; to be run again when its weights change.

uv run python scripts/pocket_samples.py
"""

from __future__ import annotations

from dlm.base_models.fingerprint import fingerprint

from dlm.base_models import resolve
from dlm.base_models.locate import local_folder
from dlm.train.material import SHIPPED, encoded, take_samples

base = resolve("pocket")
folder = local_folder(base)
samples = take_samples(base, folder)
(folder / SHIPPED).write_bytes(encoded(samples, fingerprint(folder)))
print(f"{len(samples)} samples in {folder / SHIPPED}")
