# jax_peer.py -- the work of the benchmarks in JAX, whole steps under jit; see common.py.

import math
import os
import sys

from common import DEVICE, Work, difference, difference_of_all, load, serve

CUDA = DEVICE == "cuda"
os.environ.setdefault("JAX_PLATFORMS", "cuda" if CUDA else "cpu")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
from jax import lax


# ---- the network: parameters by the names of flow.VelocityMLP ----

PRECISION = {}                             # of products: that of the row that is prepared


def linear(p, name, x):
    w, b = p[name + ".weight"], p[name + ".bias"]
    if PRECISION.get("now") == "bf16":
        x, w, b = (a.astype(jnp.bfloat16) for a in (x, w, b))
    return x @ w.T + b


def layer_norm(x):
    x = x - x.mean(-1, keepdims=True)
    return x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6)


def net(p, blocks, z, t):
    """z (n, dim) with t (n) or (1); or z (groups, n, dim) with t (groups)."""
    rate = jnp.exp(jnp.arange(128) * (-math.log(1e4) / 128))
    a = t[:, None] * rate
    e = linear(p, "time1", jnp.concatenate((jnp.cos(a), jnp.sin(a)), -1))
    e = jax.nn.silu(linear(p, "time2", jax.nn.silu(e)))
    if z.ndim == 3:
        e = e[:, None]
    h = linear(p, "input", z)
    for i in range(1, blocks + 1):
        b = "blocks.%d." % i
        shift, scale, gate = jnp.split(linear(p, b + "modulation", e), 3, -1)
        y = layer_norm(h) * p[b + "norm.weight"] + p[b + "norm.bias"]
        y = linear(p, b + "fc1", y * (1 + scale) + shift)
        h = h + gate * linear(p, b + "fc2", jax.nn.silu(y))
    shift, scale = jnp.split(linear(p, "modulation", e), 2, -1)
    return linear(p, "output", layer_norm(h) * (1 + scale) + shift)


def arrays(d):
    return {k: jnp.asarray(v) for k, v in d.items()}


def inputs(folder):
    return arrays({k: v for k, v in load(folder, "check").items() if "." not in k})


# ---- training and latents: the state is (what moves, two moments, step, key) ----

def adam(p, g, m, v, step, lr):
    m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
    v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
    c1, c2 = 1 - 0.9 ** step, 1 - 0.999 ** step
    p = jax.tree.map(lambda a, b, c: a - lr / c1 * b / (jnp.sqrt(c / c2) + 1e-8), p, m, v)
    return p, m, v


def optimised(loss, draw, start, lr, variant, fixed, most=10):
    """Work that moves `start` down loss(p, draws), and where ten steps on fixed draws lead."""
    def step(state, draws):
        p, m, v, n, key = state
        value, g = jax.value_and_grad(loss)(p, draws)
        p, m, v = adam(p, g, m, v, n + 1.0, lr)
        return (p, m, v, n + 1.0, key), value

    def drawn(state, _):
        p, m, v, n, key = state
        key, now = jax.random.split(key)
        return step((p, m, v, n, key), draw(now))

    def first():
        zeros = lambda: jax.tree.map(jnp.zeros_like, start)
        return (jax.tree.map(jnp.copy, start), zeros(), zeros(), jnp.zeros(()), jax.random.key(1))

    state = first()
    held = jax.jit(step)
    for _ in range(10):
        state, _ = held(state, fixed)
    after, state = state[0], [first()]
    k = min(variant.get("scan", 1), most)
    if k > 1:
        go = jax.jit(lambda s: lax.scan(drawn, s, None, length=k), donate_argnums=0)
    else:
        go = jax.jit(lambda s: drawn(s, None), donate_argnums=0)

    def run(n):
        for _ in range(n):
            state[0], value = go(state[0])
        jax.block_until_ready(state[0])

    run(1)
    value, gradient = jax.jit(jax.value_and_grad(loss))(start, fixed)
    return run, value, gradient, after, k


class Scanned(Work):
    """A unit of run() is k steps."""

    def __init__(self, run, errors, k):
        super().__init__(run, errors)
        self.k = k

    def round(self, seconds):
        r = super().round(seconds)
        r["units"] *= self.k
        return r


def squares(p, blocks, y, t, x0):
    s = t[:, None]
    return jnp.square(net(p, blocks, s * y + (1 - s) * x0, t) - (y - x0)).sum(1)


def train(spec, variant, folder):
    p, d = arrays(load(folder, "weights")), inputs(folder)
    x1, want = d["x1"], load(folder, "check")

    def draw(key):
        a, b = jax.random.split(key)
        return jax.random.uniform(a, x1.shape[:1]), jax.random.normal(b, x1.shape)

    def loss(p, draws):
        return squares(p, spec["blocks"], x1, *draws).mean()

    run, value, gradient, after, k = optimised(loss, draw, p, spec["lr"], variant, (d["t"], d["x0"]),
                                               10 if spec["hidden"] < 1024 else 3)
    errors = {"loss": difference(value, want["loss"]),
              "gradient": difference_of_all(gradient, want, "grad."),
              "after": difference_of_all(after, want, "after.")}
    return Scanned(run, errors, k)


def latents(spec, variant, folder):
    p, d = arrays(load(folder, "weights")), inputs(folder)
    shared = variant["group"] != "plain"
    g, tag, y = spec["groups"], "shared_" if shared else "own_", d["y"]

    def draw(key):
        a, b, c = jax.random.split(key, 3)
        x0 = jax.random.normal(b, y.shape)
        if not shared:
            return jax.random.uniform(a, y.shape[:1]), x0
        return (jax.random.uniform(a, (g,)) + jax.random.permutation(c, g)) / g, x0

    def loss(y, draws):
        t, x0 = draws
        if not shared:
            return squares(p, spec["blocks"], y, t, x0).mean()
        y, x0, s = (a.reshape(g, -1, y.shape[1]) for a in (y, x0, jnp.repeat(t, y.size // g)))
        return jnp.square(net(p, spec["blocks"], s * y + (1 - s) * x0, t) - (y - x0)).sum(2).mean()

    fixed = (d[tag + "t"], d["x0"])
    run, value, gradient, after, k = optimised(loss, draw, y, spec["lr"], variant, fixed)
    errors = {"loss": difference(value, d[tag + "loss"]), "gradient": difference(gradient, d[tag + "grad"]),
              "after": difference(after, d[tag + "after"])}
    return Scanned(run, errors, k)


# ---- evaluation without gradients ----

def evaluated(f, x, want, variant):
    """Work that computes f(x), in chunks of rows where asked for."""
    chunk = variant.get("chunk")
    whole = f
    if chunk and chunk < x.shape[0]:
        def whole(x):
            out = lax.map(f, x[:x.shape[0] // chunk * chunk].reshape(-1, chunk, x.shape[1]))
            out = out.reshape(-1, *out.shape[2:])
            rest = x[out.shape[0]:]
            return jnp.concatenate((out, f(rest))) if rest.shape[0] else out
    go = jax.jit(whole)

    def run(n):
        for _ in range(n):
            jax.block_until_ready(go(x))

    return Work(run, {"values": difference(go(x), want)})


def landscape(spec, variant, folder):
    p, d = arrays(load(folder, "weights")), inputs(folder)

    def values(y):
        def one(draw):
            t, x0 = draw
            t = jnp.full(y.shape[0] if variant["group"] == "plain" else 1, t)
            return squares(p, spec["blocks"], y, t, x0[None])
        total = lax.scan(lambda s, draw: (s + one(draw), None), jnp.zeros(y.shape[0]), (d["t"], d["x0"]))
        return total[0] / d["t"].shape[0]

    return evaluated(values, d["points"], d["values"], variant)


def solve(f, x, start, end, steps):
    h = (end - start) / steps

    def along(x, a, k):
        return jax.tree.map(lambda u, v: u + a * v, x, k)

    def step(i, x):
        t = start + i * h
        k1 = f(x, t)
        k2 = f(along(x, h / 2, k1), t + h / 2)
        k3 = f(along(x, h / 2, k2), t + h / 2)
        k4 = f(along(x, h, k3), t + h)
        return jax.tree.map(lambda u, a, b, c, e: u + h / 6 * (a + 2 * b + 2 * c + e), x, k1, k2, k3, k4)

    return lax.fori_loop(0, steps, step, x)


def sample(spec, variant, folder):
    p, d = arrays(load(folder, "weights")), inputs(folder)
    return evaluated(lambda x: solve(lambda z, t: net(p, spec["blocks"], z, jnp.full(1, t)), x, 0.0, 1.0,
                                     spec["steps"]), d["x0"], d["values"], variant)


def likelihood(spec, variant, folder):
    p, d = arrays(load(folder, "weights")), inputs(folder)
    dim = d["y"].shape[1]

    def field(x, t):
        z, _ = x
        f = lambda z: net(p, spec["blocks"], z, jnp.full(1, t))
        if variant["divergence"] == "forward":
            out, j = jax.vmap(lambda e: jax.jvp(f, (z,), (jnp.broadcast_to(e, z.shape),)),
                              out_axes=(None, 0))(jnp.eye(dim))
            return out, sum(j[i, :, i] for i in range(dim))
        out, back = jax.vjp(f, z)
        rows = [back(jnp.broadcast_to(e, z.shape))[0] for e in jnp.eye(dim)]
        return out, sum(rows[i][:, i] for i in range(dim))

    def log_p(y):
        z, log = solve(field, (y, jnp.zeros(y.shape[0])), 1.0, 0.0, spec["steps"])
        return -0.5 * jnp.square(z).sum(1) - dim * 0.5 * math.log(2 * math.pi) + log

    return evaluated(log_p, d["y"], d["values"], variant)


def overhead(spec, variant, folder):
    a, b, w = jnp.ones(16), jnp.ones(16), jnp.ones(16)

    def add(n):
        for _ in range(n):
            c = a + b
        jax.block_until_ready(c)

    gradient = jax.jit(jax.grad(lambda w: ((w * b) + a).sum())) if variant.get("jit") else \
        jax.grad(lambda w: ((w * b) + a).sum())

    def backward(n):
        for _ in range(n):
            g = gradient(w)
        jax.block_until_ready(g)

    run = add if spec["what"] == "add" else backward
    return Scanned(lambda n: run(100 * n), {}, 0.1)


KINDS = {f.__name__: f for f in (train, latents, landscape, sample, likelihood, overhead)}
JIT, SCAN = {"name": "jit, donated state"}, {"name": "jit, scan over steps", "scan": 10}
PLAIN, ROWS = {"name": "jit"}, 16384 if CUDA else 1024
CHUNKS = {"name": "jit, %s rows at a time" % format(ROWS, ","), "chunk": ROWS}


def of(group, *variants):
    return [dict(v, group=group) for v in variants]


VARIANTS = {
    "train": of("best", JIT, SCAN),
    "latents": of("plain", JIT) + of("shared", JIT, SCAN),
    "landscape": of("plain", PLAIN) + of("shared", PLAIN, CHUNKS),
    "sample": of("best", PLAIN, CHUNKS),
    "likelihood": of("best", {"name": "jit, forward", "divergence": "forward"},
                     {"name": "jit, forward, 1,024 rows at a time", "divergence": "forward", "chunk": 1024},
                     {"name": "jit, backward", "divergence": "backward"}),
    "overhead": of("whole function", {"name": "jit", "jit": True}),
}

ON_CUDA = {
    "train": of("jit", JIT, SCAN), "latents": of("jit", JIT, SCAN),
    "landscape": of("jit", PLAIN, CHUNKS), "sample": of("jit", PLAIN),
    "likelihood": of("jit", {"name": "jit, forward", "divergence": "forward"}),
}


def hello():
    return {"peer": "JAX", "version": jax.__version__, "variants": ON_CUDA if CUDA else VARIANTS,
            "settings": str(jax.devices()[0]) if CUDA else "CPU, all cores"}


def prepare(request):
    PRECISION["now"] = request["spec"].get("precision")
    if CUDA:
        how = "tensorfloat32" if PRECISION["now"] == "tf32" else "highest"
        jax.config.update("jax_default_matmul_precision", how)
    return KINDS[request["kind"]](request["spec"], request["variant"], request["folder"])


if __name__ == "__main__":
    sys.exit(serve(hello, prepare, jax.clear_caches))
