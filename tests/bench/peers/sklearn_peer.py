# sklearn_peer.py -- kernel densities by scikit-learn; see common.py.

import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import sklearn
from sklearn.neighbors import KernelDensity

from common import Work, accuracy, load, serve

MODELS = {}                                # of this process, by variant


def model(spec, variant, data):
    key = repr(sorted(variant.items()))
    if key not in MODELS:
        MODELS[key] = KernelDensity(
            bandwidth=spec["bandwidth"], algorithm=variant["algorithm"], rtol=variant["rtol"],
            atol=variant.get("atol", 0), leaf_size=variant.get("leaf", 40)).fit(data)
    return MODELS[key]


def part(task):
    spec, variant, folder, i, n = task
    d = load(folder, "check")
    rows = np.array_split(d["y"].astype(np.float64), n)[i]
    return model(spec, variant, d["data"].astype(np.float64)).score_samples(rows)


def kde(spec, variant, folder):
    n = variant.get("processes", 1)
    tasks = [(spec, variant, folder, i, n) for i in range(n)]
    if n > 1:
        pool = ProcessPoolExecutor(n)
        score = lambda: np.concatenate(list(pool.map(part, tasks)))
    else:
        score = lambda: part(tasks[0])

    def run(k):
        for _ in range(k):
            score()

    got, want = score(), load(folder, "check")["exact"]
    return Work(run, {"accuracy": accuracy(got, want)})


# From coarse to fine: the driver takes the fastest that is as accurate as the other side.
VARIANTS = [{"name": "kd_tree, rtol %g, %d processes" % (rtol, n), "algorithm": "kd_tree", "rtol": rtol,
             "processes": n, "group": "best"}
            for rtol, n in ((1e-4, 1), (1e-5, 1), (1e-5, 2))]


def hello():
    return {"peer": "scikit-learn", "version": sklearn.__version__, "variants": {"kde": VARIANTS},
            "settings": "KernelDensity"}


def prepare(request):
    return kde(request["spec"], request["variant"], request["folder"])


if __name__ == "__main__":
    sys.exit(serve(hello, prepare))
