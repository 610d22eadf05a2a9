# bench.py -- how long a kernel takes to its first result, and for an empty cell: by hand, on a quiet machine.
#
#   TIDE=build/tide /usr/bin/python3 tests/kernel/bench.py
#
# Without Jupyter's client, whose own start takes longer than the kernel's.
import hashlib
import hmac
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
import uuid

import zmq

TIDE = os.environ.get("TIDE", "build/tide")
KEY = b"key"
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


def ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    numbers = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return numbers


def message(code):
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "bench", "username": "",
              "date": "2026-01-01T00:00:00Z", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    parts = [json.dumps(p).encode() for p in (header, {}, {}, content)]
    sign = hmac.new(KEY, b"".join(parts), hashlib.sha256).hexdigest().encode()
    return [b"<IDS|MSG>", sign] + parts


def measure(cells=200):
    numbers = dict(zip((c + "_port" for c in CHANNELS), ports(5)))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump({"ip": "127.0.0.1", "transport": "tcp", "key": KEY.decode(),
                   "signature_scheme": "hmac-sha256", **numbers}, f)
        f.flush()
        shell = zmq.Context.instance().socket(zmq.DEALER)
        shell.setsockopt(zmq.RECONNECT_IVL, 5)
        start = time.perf_counter()
        kernel = subprocess.Popen([TIDE, "kernel", "-f", f.name])
        shell.connect(f"tcp://127.0.0.1:{numbers['shell_port']}")
        times = []
        for code in ["1 + 1"] + [""] * cells:
            shell.send_multipart(message(code))
            shell.recv_multipart()
            now = time.perf_counter()
            times.append(now - start)
            start = now
        kernel.kill()
        kernel.wait()
        return times[0], statistics.median(times[1:])


results = [measure() for _ in range(7)]
print("start to first result  %6.1f ms  (wanted: under 300)" % (1e3 * statistics.median(r[0] for r in results)))
print("an empty cell          %6.2f ms  (wanted: under 5)" % (1e3 * statistics.median(r[1] for r in results)))
