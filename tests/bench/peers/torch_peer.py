# torch_peer.py -- the work of the benchmarks in PyTorch; see common.py.

import math
import sys

import torch
from torch import nn
from torch.nn import functional as F

from common import DEVICE, Work, accuracy, difference, difference_of_all, load, serve

CORES = torch.get_num_threads()
CUDA = DEVICE == "cuda"
ON = {"device": DEVICE}                    # a default device would slow every call down
torch._dynamo.config.recompile_limit = 64


# ---- the network: AdaLN residual MLP, the parameters named as in flow.VelocityMLP ----

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)
        self.modulation = nn.Linear(width, 3 * width)

    def forward(self, h, c):
        shift, scale, gate = self.modulation(c).chunk(3, -1)
        y = self.fc1(self.norm(h) * (1 + scale) + shift)
        return h + gate * self.fc2(F.silu(y))


class Net(nn.Module):
    def __init__(self, dim, hidden, blocks):
        super().__init__()
        self.time1 = nn.Linear(256, hidden)
        self.time2 = nn.Linear(hidden, hidden)
        self.input = nn.Linear(dim, hidden)
        self.blocks = nn.ModuleList(Block(hidden) for _ in range(blocks))
        self.modulation = nn.Linear(hidden, 2 * hidden)
        self.output = nn.Linear(hidden, dim)
        rate = torch.exp(torch.arange(128, dtype=torch.float64) * (-math.log(1e4) / 128))
        self.register_buffer("rate", rate.float(), persistent=False)

    def forward(self, z, t):
        """z (n, dim) with t (n) or (1); or z (groups, n, dim) with t (groups)."""
        a = t[:, None] * self.rate
        e = self.time1(torch.cat((a.cos(), a.sin()), -1))
        e = F.silu(self.time2(F.silu(e)))      # once for all blocks
        if z.dim() == 3:
            e = e[:, None]
        h = self.input(z)
        for block in self.blocks:
            h = block(h, e)
        shift, scale = self.modulation(e).chunk(2, -1)
        h = F.layer_norm(h, h.shape[-1:], eps=1e-6)
        return self.output(h * (1 + scale) + shift)


def lua_name(name):
    """blocks.0.fc1.weight is blocks.1.fc1.weight there."""
    parts = name.split(".")
    if parts[0] == "blocks":
        parts[1] = str(int(parts[1]) + 1)
    return ".".join(parts)


def make_net(spec, weights):
    net = Net(spec["dim"], spec["hidden"], spec["blocks"])
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(torch.from_numpy(weights[lua_name(name)]))
    return net.to(DEVICE)


def placed(array):
    return torch.from_numpy(array).to(DEVICE)


def tensors(arrays):
    return {k: placed(v) for k, v in arrays.items() if "." not in k}


def compiled(variant, f):
    """f, or f compiled; "max" also tries kernels of its own for products, "graphs" replays CUDA graphs."""
    if variant.get("compile") == "graphs":
        return torch.compile(f, dynamic=False, mode="reduce-overhead")
    if variant.get("compile") == "max":
        return torch.compile(f, dynamic=False, mode="max-autotune-no-cudagraphs")
    return torch.compile(f, dynamic=False) if variant.get("compile") else f


def repeat(f):
    def run(n):
        for _ in range(n):
            f()
        if CUDA:
            torch.cuda.synchronize()
    return run


def recorded(f):
    """f as one CUDA graph, replayed whole; random numbers are new each time."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            f()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        f()
    return graph.replay


def products(spec):
    """Products in bf16 where the row says so."""
    return torch.autocast(DEVICE, torch.bfloat16, enabled=spec.get("precision") == "bf16")


# ---- training ----

def matching_loss(net, x1, t, x0):
    z = t[:, None] * x1 + (1 - t[:, None]) * x0
    return (net(z, t) - (x1 - x0)).square().sum(1).mean()


def adam(params, lr, variant):
    kind = variant.get("adam", "fused")
    return torch.optim.Adam(params, lr=lr, fused=kind == "fused", foreach=kind == "foreach",
                            capturable=CUDA)


def train(spec, variant, folder):
    weights, d = load(folder, "weights"), load(folder, "check")
    x1, t, x0 = (placed(d[k]) for k in ("x1", "t", "x0"))
    net = make_net(spec, weights)
    opt = adam(net.parameters(), spec["lr"], variant)
    whole = variant.get("compile") == "step"
    plain = matching_loss if whole else compiled(variant, matching_loss)

    def loss_of(*args):
        with products(spec):
            return plain(*args)

    def step(t, x0):
        if variant.get("compile") == "graphs":
            torch.compiler.cudagraph_mark_step_begin()
        opt.zero_grad(set_to_none=True)
        loss = loss_of(net, x1, t, x0)
        loss.backward()
        opt.step()
        return loss

    if whole:
        step = torch.compile(step, dynamic=False)
    n = x1.shape[0]

    def work():
        return step(torch.rand(n, **ON), torch.randn(n, x1.shape[1], **ON))

    loss = loss_of(net, x1, t, x0)
    loss.backward()
    gradient = {lua_name(k): p.grad.clone() for k, p in net.named_parameters()}
    errors = {"loss": difference(loss.item(), d["loss"]),
              "gradient": difference_of_all(gradient, d, "grad.")}
    for _ in range(10):
        step(t, x0)
    after = {lua_name(k): p for k, p in net.named_parameters()}
    errors["after"] = difference_of_all(after, d, "after.")
    if variant.get("graph"):
        opt.zero_grad(set_to_none=True)
        return Work(repeat(recorded(work)), errors)
    work(), work()
    return Work(repeat(work), errors)


# ---- latents through a frozen net ----

def align_loss(net, y, t, x0):
    """One time for each latent, or one for each group of latents in succession."""
    g = t.shape[0]
    if g == y.shape[0]:
        return matching_loss(net, y, t, x0)
    y, x0, s = y.view(g, -1, y.shape[1]), x0.view(g, -1, y.shape[1]), t[:, None, None]
    return (net(s * y + (1 - s) * x0, t) - (y - x0)).square().sum(2).mean()


def latents(spec, variant, folder):
    weights, d = load(folder, "weights"), tensors(load(folder, "check"))
    net = make_net(spec, weights).requires_grad_(False)
    groups = spec["groups"] if variant["group"] != "plain" else spec["points"]
    tag = "shared_" if variant["group"] != "plain" else "own_"
    loss_of = compiled(variant, align_loss)
    y = d["y"].clone().requires_grad_()
    opt = adam([y], spec["lr"], variant)

    def step(t, x0):
        opt.zero_grad(set_to_none=True)
        loss = loss_of(net, y, t, x0)
        loss.backward()
        opt.step()
        return loss

    def work():
        t = torch.rand(groups, **ON)
        if variant["group"] != "plain":        # one time in each of as many parts
            t = (t + torch.rand(groups, **ON).argsort()) / groups
        return step(t, torch.randn(y.shape, **ON))

    loss = loss_of(net, y, d[tag + "t"], d["x0"])
    loss.backward()
    errors = {"loss": difference(loss.item(), d[tag + "loss"]),
              "gradient": difference(y.grad, d[tag + "grad"])}
    for _ in range(10):
        step(d[tag + "t"], d["x0"])
    errors["after"] = difference(y.detach(), d[tag + "after"])
    if variant.get("graph"):
        opt.zero_grad(set_to_none=True)
        return Work(repeat(recorded(work)), errors)
    work(), work()
    return Work(repeat(work), errors)


# ---- evaluation without gradients ----

def in_chunks(f, x, chunk):
    if not chunk or chunk >= x.shape[0]:
        return f(x)
    return torch.cat([f(part) for part in x.split(chunk)])


def landscape(spec, variant, folder):
    weights, d = load(folder, "weights"), tensors(load(folder, "check"))
    net = make_net(spec, weights).requires_grad_(False)
    own = variant["group"] == "plain"

    def one(y, t, x0):
        if own:
            t = t.expand(y.shape[0])            # a row of conditioning for each point
        s = t[:, None]
        return (net(s * y + (1 - s) * x0, t) - (y - x0)).square().sum(1)

    one = compiled(variant, one)
    chunk = variant.get("chunk")

    def strip(part):
        total = torch.zeros(part.shape[0], **ON)
        for k in range(d["t"].shape[0]):
            total += one(part, d["t"][k:k + 1], d["x0"][k:k + 1])
        return total / d["t"].shape[0]

    @torch.no_grad()
    def work():
        return in_chunks(strip, d["points"], chunk)

    errors = {"values": difference(work(), d["values"])}
    return Work(repeat(work), errors)


def rk4(f, x, t, h):
    """One step for a tuple of tensors."""
    def along(a, k):
        return tuple(u + a * v for u, v in zip(x, k))
    k1 = f(x, t)
    k2 = f(along(h / 2, k1), t + h / 2)
    k3 = f(along(h / 2, k2), t + h / 2)
    k4 = f(along(h, k3), t + h)
    return tuple(u + h / 6 * (a + 2 * b + 2 * c + e)
                 for u, a, b, c, e in zip(x, k1, k2, k3, k4))


def solve(f, x, start, end, steps):
    h = (end - start) / steps
    for i in range(steps):
        x = rk4(f, x, start + i * h, h)
    return x


def sample(spec, variant, folder):
    weights, d = load(folder, "weights"), tensors(load(folder, "check"))
    net = make_net(spec, weights).requires_grad_(False)
    f = compiled(variant, lambda z, t: net(z, t))

    def field(x, t):
        return (f(x[0], torch.full((1,), t, **ON)),)

    @torch.no_grad()
    def work():
        return in_chunks(lambda part: solve(field, (part,), 0.0, 1.0, spec["steps"])[0],
                         d["x0"], variant.get("chunk"))

    errors = {"values": difference(work(), d["values"])}
    return Work(repeat(work), errors)


def divergence_backward(net, z, t):
    """One vector-Jacobian product for each dimension."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        out = net(z, t)
        total = 0
        for i in range(z.shape[1]):
            g, = torch.autograd.grad(out[:, i].sum(), z, retain_graph=i + 1 < z.shape[1])
            total = total + g[:, i]
    return out.detach(), total


def divergence_forward(net, z, t):
    """Tangents of all dimensions side by side."""
    def along(e):
        return torch.func.jvp(lambda x: net(x, t), (z,), (e.expand(z.shape),))
    eye = torch.eye(z.shape[1], **ON)
    out, j = torch.vmap(along, out_dims=(None, 0))(eye)
    return out, sum(j[i, :, i] for i in range(z.shape[1]))


def likelihood(spec, variant, folder):
    weights, d = load(folder, "weights"), tensors(load(folder, "check"))
    net = make_net(spec, weights).requires_grad_(False)
    forward = variant["divergence"] == "forward"
    f = compiled(variant, divergence_forward if forward else divergence_backward)

    def field(x, t):
        return f(net, x[0], torch.full((1,), t, **ON))

    def log_p(y):
        z, log = solve(field, (y, torch.zeros(y.shape[0], **ON)), 1.0, 0.0, spec["steps"])
        return -0.5 * z.square().sum(1) - y.shape[1] * 0.5 * math.log(2 * math.pi) + log

    @torch.no_grad()
    def work():
        return in_chunks(log_p, d["y"], variant.get("chunk"))

    errors = {"values": difference(work(), d["values"])}
    return Work(repeat(work), errors)


def kde(spec, variant, folder):
    """Every pair, in pieces that fit a cache."""
    d = tensors(load(folder, "check"))
    y, data = d["y"] / spec["bandwidth"], d["data"] / spec["bandwidth"]
    rows = variant["chunk"]
    norm = math.log(data.shape[0]) + math.log(2 * math.pi) + 2 * math.log(spec["bandwidth"])
    columns = data.T.contiguous()

    def piece(part):
        d = (part[:, :1] - columns[0]).square() + (part[:, 1:] - columns[1]).square()
        return torch.logsumexp(d * -0.5, 1)

    piece = compiled(variant, piece)

    @torch.no_grad()
    def work():
        return in_chunks(piece, y, rows) - norm

    errors = {"accuracy": accuracy(work(), d["exact"])}
    return Work(repeat(work), errors)


def overhead(spec, variant, folder):
    a, b = torch.ones(16), torch.ones(16)
    w = torch.ones(16, requires_grad=True)

    def add(n):
        for _ in range(n):
            c = a + b

    def backward(n):
        for _ in range(n):
            ((w * b) + a).sum().backward()
            w.grad = None

    run = add if spec["what"] == "add" else backward
    return Work(lambda n: run(1000 * n), {})


KINDS = {f.__name__: f for f in (train, latents, landscape, sample, likelihood, kde, overhead)}
EAGER, COMPILE = {"name": "eager"}, {"name": "compile", "compile": True}
FULL = {"name": "compile, max-autotune", "compile": "max", "full": True}


def of(group, *variants):
    return [dict(v, group=group) for v in variants]


CHUNKS = ({"name": "eager, 1,024 rows at a time", "chunk": 1024},)
VARIANTS = {
    "train": of("best", {"name": "eager, fused Adam"}, {"name": "eager, foreach Adam", "adam": "foreach"},
                {"name": "eager, fused Adam, 1 thread", "threads": 1},
                {"name": "compiled loss, fused Adam", "compile": True},
                {"name": "compiled step", "compile": "step", "adam": "foreach"}, FULL),
    "latents": of("plain", EAGER, COMPILE) + of("shared", EAGER, COMPILE, FULL),
    "landscape": of("plain", EAGER, *CHUNKS) + of("shared", EAGER, *CHUNKS, COMPILE, FULL),
    "sample": of("best", EAGER, *CHUNKS, COMPILE, FULL),
    "likelihood": of("best", {"name": "eager, backward", "divergence": "backward"},
                     {"name": "eager, forward", "divergence": "forward"},
                     {"name": "eager, forward, 1,024 rows at a time", "divergence": "forward", "chunk": 1024},
                     {"name": "compile, forward", "divergence": "forward", "compile": True}),
    "kde": of("pairs", {"name": "eager, 16 rows at a time", "chunk": 16},
              {"name": "compile, 256 rows at a time", "chunk": 256, "compile": True}),
    "overhead": of("best", EAGER),
}

# On a GPU each way of getting there is a group of its own.
GRAPH, GRAPHS = {"name": "hand-captured CUDA graph", "graph": True}, \
    {"name": "compile, reduce-overhead", "compile": "graphs"}
ON_CUDA = {
    "train": of("eager", {"name": "eager, fused Adam"}) + of("graph", GRAPH) + of("compiled", GRAPHS),
    "latents": of("eager", EAGER) + of("graph", GRAPH),
    "landscape": of("eager", EAGER), "sample": of("eager", EAGER),
    "likelihood": of("eager", {"name": "eager, forward", "divergence": "forward"}),
}


def hello():
    blas = "MKL" if torch.backends.mkl.is_available() else "no MKL"
    return {"peer": "PyTorch", "version": torch.__version__, "variants": ON_CUDA if CUDA else VARIANTS,
            "settings": torch.cuda.get_device_name() if CUDA else
            "%d threads, %s, oneDNN %s" % (CORES, blas, torch.backends.mkldnn.is_available())}


def forget():
    """Compiled code of one kind of work does not weigh on the next."""
    torch._dynamo.reset()


def prepare(request):
    variant = request["variant"]
    threads = variant.get("threads", request["threads"])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    if CUDA:
        torch.backends.cuda.matmul.allow_tf32 = request["spec"].get("precision") == "tf32"
    work = KINDS[request["kind"]](request["spec"], variant, request["folder"])
    work.before = lambda: torch.set_num_threads(threads)
    return work


if __name__ == "__main__":
    sys.exit(serve(hello, prepare, forget))
