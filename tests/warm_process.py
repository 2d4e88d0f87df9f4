"""A process that has imported all that a training needs and runs `dlm` commands in its forks.

    python tests/warm_process.py SOCKET

Importing torch, transformers and TRL takes longer than a short training, and tests run dozens of
them. Each connection sends one command with three file descriptors; it gets the pid, and the exit
status when the command ended. A command is a process of its own, which can be killed as any other.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any

RUNNING: dict[int, socket.socket] = {}


def main() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{sys.argv[1]}.new")
        server.listen(64)
        os.rename(f"{sys.argv[1]}.new", sys.argv[1])  # noqa: PTH104
        _import_everything()
        ended, bell = socket.socketpair()
        bell.setblocking(False)
        signal.set_wakeup_fd(bell.fileno())
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        with selectors.DefaultSelector() as selector:
            for source in (server, ended, sys.stdin):
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is server:
                        _begin(server.accept()[0], (server, ended, bell))
                    elif key.fileobj is ended:
                        ended.recv(4096)
                        _report_ended()
                    elif not os.read(sys.stdin.fileno(), 1):
                        os._exit(0)  # whoever started this is gone


def _import_everything() -> None:
    import datasets  # noqa: F401
    import peft  # noqa: F401
    import torch
    from transformers import AutoModelForCausalLM, LlamaForCausalLM, PrinterCallback  # noqa: F401
    from trl import SFTConfig, SFTTrainer  # noqa: F401

    assert torch.get_num_threads()
    gc.collect()
    gc.freeze()  # so that the forks share the memory


def _begin(connection: socket.socket, own: tuple[socket.socket, ...]) -> None:
    message, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    if len(descriptors) != 3:
        connection.close()
        return
    pid = os.fork()
    if pid:
        RUNNING[pid] = connection
        for descriptor in descriptors:
            os.close(descriptor)
        with contextlib.suppress(OSError):
            connection.sendall(b"%d\n" % pid)
        return
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for one in (connection, *own, *RUNNING.values()):
            one.close()
        status = _run(json.loads(message), descriptors)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _run(command: dict[str, Any], descriptors: list[int]) -> int:
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["env"])
    sys.argv = ["dlm", *command["arguments"]]
    signal.signal(signal.SIGINT, signal.default_int_handler)

    from dlm.cli.app import main as dlm

    try:
        dlm()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    finally:
        import atexit
        import threading

        threading._shutdown()
        atexit._run_exitfuncs()
    return 0


def _report_ended() -> None:
    while RUNNING:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with RUNNING.pop(pid) as connection, contextlib.suppress(OSError):
            connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
