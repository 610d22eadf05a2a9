# client.py -- what the tests of the kernel share: starting it, running cells, TAP.
#
# Everything waits for a sign (a text, a message, the end of a process), with PATIENCE as its limit.
import os
import sys
import time
import traceback

from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec

TIDE = os.environ.get("TIDE", "build/tide")
PATIENCE = 90

_cases = []


def case(f):
    """A function of this file that is one case; its docstring names it."""
    _cases.append(f)
    return f


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    cases = [f for f in _cases if word in f.__name__]
    failed = 0
    for i, f in enumerate(cases, 1):
        try:
            f()
            print(f"ok {i} - {f.__doc__}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {i} - {f.__doc__}")
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            sys.stdout.flush()
    print(f"1..{len(cases)}", flush=True)
    if Kernel.shared:
        Kernel.shared.close()
    sys.exit(failed > 0)


def same(got, wanted):
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


def wait_for(what, text):
    """Calls what() until it is true."""
    end = time.time() + PATIENCE
    while True:
        found = what()
        if found:
            return found
        assert time.time() < end, "did not come: " + text
        time.sleep(0.01)


class Output:
    """What a cell has sent: messages as (type, content), and the reply."""

    def __init__(self, messages, reply):
        self.messages, self.reply = messages, reply

    def all(self, kind):
        return [c for t, c in self.messages if t == kind]

    def text(self, name="stdout"):
        return "".join(c["text"] for c in self.all("stream") if c["name"] == name)

    def result(self):
        (only,) = self.all("execute_result")
        return only["data"]["text/plain"]

    def ok(self):
        assert self.reply["status"] == "ok", "\n".join(self.reply.get("traceback", [str(self.reply)]))
        return self


class Kernel:
    shared = None

    def __init__(self, mode="signal", env=None):
        self.km = KernelManager()
        self.km._kernel_spec = KernelSpec(argv=[TIDE, "kernel", "-f", "{connection_file}"],
                                          display_name="tide", language="lua", interrupt_mode=mode)
        self.km.start_kernel(**({"env": env} if env else {}))
        self.kc = self.km.client()
        self.kc.start_channels()
        self.kc.wait_for_ready(timeout=PATIENCE)

    @staticmethod
    def get():
        """One kernel for all cases that leave it as it was."""
        if not Kernel.shared:
            Kernel.shared = Kernel()
        return Kernel.shared

    @property
    def pid(self):
        return self.km.provisioner.process.pid

    def iopub(self, id):
        """The next message that belongs to the request."""
        while True:
            m = self.kc.get_iopub_msg(timeout=PATIENCE)
            if m["parent_header"].get("msg_id") == id:
                return m["msg_type"], m["content"]

    def until(self, id, kind, test=lambda c: True):
        """Messages of the request up to the first one of a kind."""
        seen = []
        while True:
            seen.append(self.iopub(id))
            if seen[-1][0] == kind and test(seen[-1][1]):
                return seen

    def idle(self, id):
        return self.until(id, "status", lambda c: c["execution_state"] == "idle")

    def reply(self, id):
        while True:
            m = self.kc.get_shell_msg(timeout=PATIENCE)
            if m["parent_header"].get("msg_id") == id:
                return m["content"]

    def run(self, code, **options):
        id = self.kc.execute(code, **options)
        return self.finish(id)

    def finish(self, id, seen=()):
        messages = list(seen) + self.idle(id)
        return Output(messages, self.reply(id))

    def ask(self, method, *arguments, **named):
        id = getattr(self.kc, method)(*arguments, **named)
        reply = self.reply(id)
        self.idle(id)
        return reply

    def start(self, code, **options):
        """Runs a cell up to the moment when it prints "started"."""
        id = self.kc.execute(code, **options)
        text, seen = "", []
        while "started" not in text:
            seen += self.until(id, "stream")
            text += seen[-1][1]["text"]
        return id, seen

    def close(self):
        self.kc.stop_channels()
        if self.km.is_alive():
            self.km.shutdown_kernel(now=True)
