# test_wire.py -- what the kernel makes of messages that are damaged, forged or odd.
import json
import random
import tempfile

import zmq

from client import PATIENCE, Kernel, case, main, same

DELIMITER = b"<IDS|MSG>"


class Wire:
    """A socket of its own at a channel of a kernel."""

    def __init__(self, kernel, channel="shell"):
        info = kernel.km.get_connection_info()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.connect(f"tcp://{info['ip']}:{info[channel + '_port']}")
        self.session = kernel.kc.session

    def frames(self, kind, content, header=None):
        m = self.session.msg(kind, content)
        if header:
            m["header"].update(header)
        parts = [json.dumps(x, default=str).encode() for x in (m["header"], {}, {}, content)]
        return [DELIMITER, self.session.sign(parts)] + parts

    def signed(self, parts):
        return [DELIMITER, self.session.sign(parts)] + parts

    def send(self, frames):
        self.socket.send_multipart(frames)

    def answer(self):
        """The content of the next reply; what was dropped before has none."""
        assert self.socket.poll(1000 * PATIENCE), "no reply"
        frames = self.socket.recv_multipart()
        return json.loads(frames[frames.index(DELIMITER) + 5])

    def is_alive(self):
        self.send(self.frames("kernel_info_request", {}))
        same(self.answer()["implementation"], "tide")


@case
def test_forged():
    "messages with a wrong signature, none, or parts missing are dropped without a word"
    k = Kernel.get()
    k.run("touched = 0")
    w = Wire(k)
    good = w.frames("execute_request", {"code": "touched = touched + 1", "silent": False})
    for bad in (good[:1] + [b""] + good[2:], good[:1] + [b"0" * 64] + good[2:], good[:1] + [good[1][:-1]] + good[2:],
                good[:1] + [good[1].upper()] + good[2:], good[:5], good[:2], good[1:], [b""], [DELIMITER],
                good[:-1] + [good[-1] + b" "], good[:3] + [b"{} "] + good[4:], [b"x"] * 200):
        w.send(bad)
    w.is_alive()
    same(k.run("touched").result(), "0")
    w.send(good)
    same(w.answer()["status"], "ok")
    same(k.run("touched").result(), "1")


@case
def test_odd():
    "well signed messages that make no sense do no harm"
    k = Kernel.get()
    w = Wire(k)
    header = json.dumps(w.session.msg("execute_request", {})["header"], default=str).encode()
    for parts in ([b"{", b"{}", b"{}", b"{}"], [b"[]", b"{}", b"{}", b"{}"], [b"", b"", b"", b""],
                  [b'{"msg_type": 5}', b"{}", b"{}", b"{}"], [b"\xff\xfe", b"{}", b"{}", b"{}"],
                  [b"[" * 100000, b"{}", b"{}", b"{}"]):
        w.send(w.signed(parts))
    for content in (b"{", b"[" * 100000, b"\xff", b'{"code": "\\ud800"'):
        w.send(w.signed([header, b"{}", b"{}", content]))
        same(w.answer()["status"], "error")
    for content in (b"", b"[]", b"7", b"null", b'{"code": 5}', b'{"code": null, "silent": []}',
                    b'{"code": "\\ud800\\udfff\\u0000"}'):
        w.send(w.signed([header, b"{}", b"{}", content]))
        assert w.answer()["status"] in ("ok", "error")
    for kind in ("no_such_request", "x" * 5000, "execute_reply", "comm_msg", "comm_close", "comm_open", "input_reply"):
        w.send(w.frames(kind, {"comm_id": [], "data": 3, "target_name": {}}))
    w.is_alive()
    same(k.run("1").result(), "1")


@case
def test_fuzz():
    "random damage to well signed messages is survived"
    k = Kernel.get()
    w = Wire(k)
    chance = random.Random(5)
    requests = [("complete_request", {"code": "tensor.ze\u00e9", "cursor_pos": 9}),
                ("inspect_request", {"code": "flow.align(", "cursor_pos": 11, "detail_level": 0}),
                ("is_complete_request", {"code": "for i = 1, 2 do"}),
                ("history_request", {"hist_access_type": "search", "pattern": "x[*?%", "n": 3, "raw": True}),
                ("comm_info_request", {"target_name": "x"})]
    values = [None, True, -1, 0, 2.5, 1e300, 10 ** 30, "", "x" * 3000, [], {}, [[]], "\U0001f30a", "\x00"]
    for _ in range(400):
        kind, content = chance.choice(requests)
        content = dict(content)
        if chance.random() < 0.7:
            content[chance.choice(list(content))] = chance.choice(values)
        frames = w.frames(kind, content)
        if chance.random() < 0.3:
            i = chance.randrange(2, 6)
            data = bytearray(frames[i])
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            frames[i] = bytes(data)
            frames = w.signed(frames[2:])
        w.send(frames)
    same(k.run("1").result(), "1")
    Wire(k, "control").is_alive()


@case
def test_file():
    "a connection file that is broken is refused"
    import subprocess
    from client import TIDE
    for text, said in (("{", "no connection file"), ('{"shell_port": 1}', "there is no iopub_port"),
                       ('{"shell_port": 70000}', "shell_port is 70000, but"),
                       (json.dumps({c + "_port": 1 for c in ("shell", "iopub", "stdin", "control", "hb")} |
                                   {"signature_scheme": "hmac-none", "ip": "127.0.0.1"}), "signature_scheme")):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            f.write(text)
            f.flush()
            done = subprocess.run([TIDE, "kernel", "-f", f.name], capture_output=True, text=True)
        assert done.returncode == 1 and said in done.stderr, done


if __name__ == "__main__":
    main()
