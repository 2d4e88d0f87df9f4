"""A watching process with a real server and a trainer that knows everything: to be killed.

Run as `python push_process.py DOCUMENT`; the real address is printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from watch_kit import DLM_ID, RecordingScreen, RecordingTrainer

from dlm.loops.watch import Watch, WatchSettings
from dlm.loops.watch_status import WatchStatus
from dlm.serve.connections import Address
from dlm.serve.server import listening
from dlm.store.store import Store
from dlm.train.options import Progress, TrainOptions

TOKEN = "t"


def main() -> None:
    path = Path(sys.argv[1])
    status = WatchStatus(settle_seconds=0.02)
    with Store.open(DLM_ID) as store:
        database = store.path.database
    settings = WatchSettings(saves=True, debounce_seconds=0.02)
    address = Address("127.0.0.1", 0)
    with listening(address, status, token=TOKEN, database=database, capacity=1000) as real:
        print(f"{real.url}/rpc", flush=True)
        trainer, screen = RecordingTrainer(), RecordingScreen()
        Watch(path, settings, TrainOptions(), trainer, screen, status, Progress()).run()


if __name__ == "__main__":
    main()
