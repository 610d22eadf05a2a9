# common.py -- what peers of the benchmarks share: the protocol, timing, comparing.
#
# A peer is a process that answers lines of JSON on its standard output:
#
#   {"do": "hello"}                    what it is, and its variants of each kind of work
#   {"do": "prepare", "id": n, ...}    builds one variant from the files in "folder", computes what
#                                      the other side computed, and answers with the differences
#   {"do": "round", "id": n, "seconds": s}    works for about s seconds: {"units": k, "seconds": s}
#   {"do": "drop", "id": n} and {"do": "quit"}
#
# Between two requests it sleeps in a read.

import faulthandler
import json
import math
import os
import re
import signal
import sys
import time

import numpy as np


# where peers work: "cpu", or "cuda"
DEVICE = os.environ.get("BENCH_DEVICE", "cpu")


def host(x):
    """An array of NumPy, wherever x lies."""
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x, np.float64)


def by_blocks(arrays):
    """All modulations are one layer in the files; peers have one for each block, as is usual."""
    out = {}
    for name, x in arrays.items():
        m = re.fullmatch(r"(grad\.|after\.|)modulation\.(weight|bias)", name)
        if not m:
            out[name] = x
            continue
        blocks = sum(bool(re.fullmatch(r"%sblocks\.\d+\.fc1\.%s" % m.groups(), k)) for k in arrays)
        parts = np.split(x, 3 * blocks + 2)
        for i in range(blocks):
            out["%sblocks.%d.modulation.%s" % (m[1], i + 1, m[2])] = np.concatenate(parts[3 * i:3 * i + 3])
        out[name] = np.concatenate(parts[-2:])
    return out


def load(folder, name):
    """The arrays of a .npz file by name."""
    with np.load(os.path.join(folder, name + ".npz")) as f:
        return by_blocks({k: f[k] for k in f.files})


def difference(got, want):
    """Euclidean distance relative to the length of what is wanted."""
    got, want = host(got), host(want)
    if got.size == want.size == 1:
        got = got.reshape(want.shape)
    if got.shape != want.shape:
        raise ValueError("got shape %s, want %s" % (got.shape, want.shape))
    return float(np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-30))


def difference_of_all(got, want, prefix):
    """The same over all arrays whose names in `want` have the prefix, taken together."""
    names = sorted(k[len(prefix):] for k in want if k.startswith(prefix))
    if not names:
        raise ValueError("nothing to compare with: no arrays named %s*" % prefix)
    return difference(np.concatenate([np.ravel(host(got[k])) for k in names]),
                      np.concatenate([np.ravel(want[prefix + k]) for k in names]))


def accuracy(got, want):
    """The largest difference of log densities, where there is any density."""
    got, want = host(got), host(want)
    return float(np.abs(got - want)[want > -20].max())


class Work:
    """Something to be timed: run(n) does n units of work and has finished when it returns."""

    def __init__(self, run, errors, before=None):
        self.run, self.errors, self.before = run, errors, before
        self.each = 0.0

    def round(self, seconds):
        if self.before:
            self.before()
        n = max(1, math.ceil(seconds / max(self.each, 1e-9)))
        start = time.perf_counter()
        self.run(n)
        spent = time.perf_counter() - start
        self.each = spent / n
        return {"units": n, "seconds": spent}


def give_up(signum, frame):
    raise TimeoutError("it took too long to prepare")


def answer(request, works, hello, prepare, forget):
    do = request["do"]
    if do == "hello":
        return hello()
    if do == "prepare":
        start = time.perf_counter()
        signal.signal(signal.SIGALRM, give_up)
        signal.alarm(int(request.get("limit", 0)))
        try:
            work = prepare(request)
            if work.before:
                work.before()
            ready = time.perf_counter()
            work.run(1)
            work.each = time.perf_counter() - ready
        finally:
            signal.alarm(0)
        works[request["id"]] = work
        return {"errors": work.errors, "seconds": ready - start, "each": work.each}
    if do == "round":
        return works[request["id"]].round(request["seconds"])
    if do == "drop":
        works.pop(request["id"], None)
        if not works:
            forget()
        return {}
    raise ValueError("unknown request " + do)


def serve(hello, prepare, forget=lambda: None):
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)                          # what libraries print goes to the log
    works = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "quit":
            break
        # a call that never returns to Python ends the process: the other side sees it and goes on
        faulthandler.dump_traceback_later(60 + 2 * int(request.get("limit", 120)), exit=True)
        try:
            reply = answer(request, works, hello, prepare, forget)
        except BaseException as e:         # the other side goes on without this variant
            import traceback
            traceback.print_exc()
            text = str(e).strip().split("\n")[0][:200]
            reply = {"failed": "%s: %s" % (type(e).__name__, text)}
            if isinstance(e, (KeyboardInterrupt, SystemExit)):
                break
        faulthandler.cancel_dump_traceback_later()
        out.write(json.dumps(reply) + "\n")
    out.flush()
    os._exit(0)                            # threads of libraries are not waited for
