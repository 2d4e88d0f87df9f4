"""`dlm` for a shell: hands its arguments and streams to a warm process, and ends as it ends.

python warm_client.py SOCKET ARGUMENT…
"""

import json
import os
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
message = {"arguments": sys.argv[2:], "cwd": os.getcwd(), "env": dict(os.environ)}  # noqa: PTH109
socket.send_fds(connection, [json.dumps(message).encode()], [0, 1, 2])
answers = connection.makefile("r")
answers.readline()  # the pid
status = int(answers.readline())
sys.exit(status if status >= 0 else 128 - status)
