# test_kernel.py -- the kernel seen by a client: outputs, Ctrl-C, the end, questions, widgets.
import base64
import os
import re
import signal
import subprocess
import sys
import time

from client import PATIENCE, TIDE, Kernel, case, main, same, wait_for

# ---- outputs ----


@case
def test_values():
    "values, statements, locals that carry over, several values, silence after a semicolon"
    k = Kernel.get()
    same(k.run("local a = 6; b = 7").ok().all("execute_result"), [])
    same(k.run("a * b").result(), "42")
    same(k.run("local function f() a = a + 1 return a end\nf(), f()").result(), "7\t8")
    same(k.run("a;").ok().all("execute_result"), [])
    out = k.run("1\n2").ok()
    same([r["data"]["text/plain"] for r in out.all("execute_result")], ["1", "2"])
    same(k.run("_").result(), "2")
    same([t for t, _ in k.run("-- nothing").ok().messages], ["status", "execute_input", "status"])


@case
def test_bundles():
    "tensors are small tables, modules lists of layers, figures pictures of the right size"
    k = Kernel.get()
    (t,) = k.run("tensor.zeros(1000, 1000)").ok().all("execute_result")
    assert len(t["data"]["text/html"]) < 8000 and "&hellip;" in t["data"]["text/html"]
    (m,) = k.run("nn.Sequential(nn.Linear(2, 3), nn.ReLU())").ok().all("execute_result")
    assert "9 parameters" in m["data"]["text/html"] and "Linear" in m["data"]["text/plain"]
    (f,) = k.run("plot.figure{ size = { 150, 90 } }").ok().all("execute_result")
    same(f["metadata"]["image/png"], {"width": 200, "height": 120})
    png = base64.b64decode(f["data"]["image/png"])
    same(png[:4], b"\x89PNG")
    same((int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")), (400, 240))


@case
def test_streams():
    "stdout and stderr of Lua, of C and of children come in order"
    k = Kernel.get()
    out = k.run('io.write("a"); os.execute("echo b; echo c >&2"); print("d")\n'
                'io.stderr:write("e"); local p <close> = io.popen("cat", "w"); p:write("f"); p:close(); print("g");')
    same("".join(c["text"] for c in out.ok().all("stream")), "ab\nc\nd\nefg\n")
    same(out.text("stderr"), "c\ne")


@case
def test_flood():
    "2,000 quick prints all come, in few messages; so do 300,000 lines"
    k = Kernel.get()
    out = k.run("for i = 1, 2000 do print(i) end").ok()
    same(out.text(), "".join(f"{i}\n" for i in range(1, 2001)))
    assert len(out.all("stream")) < 100, len(out.all("stream"))
    out = k.run("for i = 1, 300000 do print(i) end").ok()
    same(out.text().count("\n"), 300000)


@case
def test_text():
    "text in any script arrives whole, bytes that are no text are marked"
    k = Kernel.get()
    same(k.run('for c in ("h\u00e9\U00028b4e\u6f22\\n"):gmatch(".") do io.write(c) io.stdout:flush() end').text(),
         "h\u00e9\U00028b4e\u6f22\n")
    same(k.run(r'io.write("a\xff\xc3b\0c\xf0\x9f")').text(), "a\ufffd\ufffdb\0c\ufffd\ufffd")
    same(k.run(r'"x\xffy"').result(), r"x\xFFy")
    out = k.run(r'error("\xff\xfe")')
    same(out.reply["status"], "error")


@case
def test_errors():
    "errors say where, once, without frames of ours"
    k = Kernel.get()
    out = k.run("local function f(x)\n  return x.y.z\nend\nf({})", stop_on_error=False)
    (e,) = out.all("error")
    same(out.all("stream"), [])
    assert re.match(r"In\[\d+\]:2: attempt to index a nil value \(field 'y'\)$", e["evalue"]), e["evalue"]
    text = re.sub("\x1b\\[[0-9;]*m", "", "\n".join(e["traceback"]))
    assert "2 |   return x.y.z" in text and "tide" not in text, text
    (e,) = k.run("x = = 1", stop_on_error=False).all("error")
    same(e["ename"], "SyntaxError")
    (e,) = k.run("error(setmetatable({}, { __name = 'Odd', __tostring = function() return 'odd' end }))",
                 stop_on_error=False).all("error")
    same((e["ename"], e["evalue"]), ("Odd", "odd"))
    same(k.run("1").result(), "1")


@case
def test_silent():
    "silent cells show nothing and have no number; store_history = false keeps the number"
    k = Kernel.get()
    before = k.run("1").reply["execution_count"]
    out = k.run("quiet = 5; print('x'); os.execute('echo y'); plot.figure{}:show(); quiet", silent=True)
    same([t for t, _ in out.ok().messages], ["status", "status"])
    same(k.run("quiet", store_history=False).reply["execution_count"], before)
    same(k.run("quiet").reply["execution_count"], before + 1)
    out = k.run("1", user_expressions={"a": "1 + 1", "b": "nil + 1"})
    same(out.reply["user_expressions"]["a"]["data"]["text/plain"], "2")
    same(out.reply["user_expressions"]["b"]["status"], "error")


@case
def test_stop_on_error():
    "cells that wait behind one that fails are not run, unless that is wanted"
    k = Kernel.get()
    for stop in (True, False):
        k.run("ran = 0")
        id, seen = k.start("print('started'); io.read(); error('no')", allow_stdin=True, stop_on_error=stop)
        rest = [k.kc.execute("ran = ran + 1") for _ in range(3)]
        for _ in range(3):              # by then they have come
            k.kc.control_channel.send(k.kc.session.msg("kernel_info_request", {}))
            k.kc.get_control_msg(timeout=PATIENCE)
        k.kc.get_stdin_msg(timeout=PATIENCE)
        k.kc.input("")
        k.reply(id)
        replies = [k.reply(r)["status"] for r in rest]
        for i in [id] + rest:
            k.idle(i)
        same(replies, ["aborted" if stop else "ok"] * 3)
        same(k.run("ran").result(), "0" if stop else "3")


# ---- pictures that change ----


@case
def test_live_figure():
    "a figure is updated in place, seldom, and ends with its last state"
    k = Kernel.get()
    out = k.run("""
      local fig = plot.figure{ size = { 120, 90 } }
      local line = fig:axes{}:line{ y = { 0, 1 } }
      fig:show()
      local start, changes = tide.clock(), 0
      while tide.clock() < start + 1.2 do
        if fig:due() then changes = changes + 1; line:set{ y = { changes, 1 } } end
      end
      print(changes)""").ok()
    (first,) = out.all("display_data")
    updates = out.all("update_display_data")
    ids = {m["transient"]["display_id"] for m in [first] + updates}
    same(len(ids), 1)
    assert 1 <= len(updates) <= 7, len(updates)
    same(updates[-1]["metadata"], {"image/png": {"width": 160, "height": 120}})
    same(base64.b64decode(updates[-1]["data"]["image/png"])[16:20], (320).to_bytes(4, "big"))
    out = k.run("local d = tide.display('one'); d:update('two'); tide.clear_output(true)").ok()
    same(out.all("display_data")[0]["data"]["text/plain"], "one")
    same(out.all("update_display_data")[0]["data"]["text/plain"], "two")
    same(out.all("clear_output"), [{"wait": True}])


@case
def test_many_figures():
    "figures that nobody holds any more do no harm"
    k = Kernel.get()
    k.run("for i = 1, 30 do plot.figure{ size = { 20, 20 } }:show() end; collectgarbage(); collectgarbage()").ok()
    same(k.run("1").result(), "1")


@case
def test_progress():
    "a progress bar stays in its place and ends with what it took"
    k = Kernel.get()
    out = k.run("for i in tide.progress(16) do os.execute('sleep 0.1') end").ok()
    (first,) = out.all("display_data")
    updates = out.all("update_display_data")
    same(out.all("stream"), [])
    assert {u["transient"]["display_id"] for u in updates} == {first["transient"]["display_id"]}
    assert updates[-1]["data"]["text/plain"].startswith("16/16"), updates[-1]


@case
def test_jobs():
    "jobs run while no cell does, and their figures change"
    k = Kernel.get()
    id = k.kc.execute("""
      fig = plot.figure{ size = { 60, 60 } }
      points = fig:axes{}:line{ y = { 0, 1 } }
      fig:show()
      n = 0
      job = tide.spawn(function()
        while n < 3 do
          local from = tide.clock()
          while tide.clock() < from + 0.3 do tide.yield() end
          n = n + 1
          points:set{ y = { n, 1 } }
        end
        print("job is over")
      end)""")
    seen = k.idle(id)
    seen += k.until(id, "update_display_data")
    seen += k.until(id, "stream", lambda c: "job is over" in c["text"])
    same(k.run("n").result(), "3")


@case
def test_output_of_jobs():
    "a job prints below the cell that started it; below the one that runs where nobody looks"
    k = Kernel.get()
    for person in (True, False):
        first = k.kc.execute("go = false; job = tide.spawn(function()\n"
                             "while not go do tide.yield() end print('of the job') end)", allow_stdin=person)
        k.idle(first)
        second = k.kc.execute("go = true; print('before'); job:wait(); print('after')", allow_stdin=person)
        printed, idle = {first: "", second: ""}, False
        while not idle:
            m = k.kc.get_iopub_msg(timeout=PATIENCE)
            parent, content = m["parent_header"].get("msg_id"), m["content"]
            if m["msg_type"] == "stream":
                printed[parent] += content["text"]
            idle = parent == second and content.get("execution_state") == "idle"
        k.reply(second)
        same(printed[first], "of the job\n" if person else "")
        same(printed[second], "before\nafter\n" if person else "before\nof the job\nafter\n")


# ---- what is asked while one types ----


@case
def test_complete():
    "completion counts characters, not bytes, also beyond the BMP"
    k = Kernel.get()
    text = "x = '\U00028b4e\u00e9'; tensor.zeros_l; y"
    pos = text.index("_l") + 2
    r = k.ask("complete", text, pos)
    same(r["matches"], ["zeros_like"])
    same((r["cursor_start"], r["cursor_end"]), (text.index("zeros_l"), pos))
    k.run("local secret_name = 1")
    same(k.ask("complete", "secr")["matches"], ["secret_name"])
    same(k.ask("complete", "")["status"], "ok")


@case
def test_inspect():
    "inspection finds documentation, methods and variables"
    k = Kernel.get()
    r = k.ask("inspect", "flow.align(v, y)", 6)
    assert r["found"] and "flow.align" in r["data"]["text/plain"]
    assert "flow.align" in k.ask("inspect", "flow.align(v, ", 14)["data"]["text/plain"]
    k.run("some_tensor = tensor.ones(2)")
    assert "Sum over dims" in k.ask("inspect", "some_tensor:sum()", 15)["data"]["text/plain"]
    same(k.ask("inspect", "nothing_of_this_name")["found"], False)
    same(k.ask("is_complete", "for i = 1, 3 do"), {"status": "incomplete", "indent": "  "})


# ---- questions to the person ----


@case
def test_stdin():
    "io.read asks the person, or says that nobody is there"
    k = Kernel.get()
    id = k.kc.execute("local a = io.read(); local b = io.read('n', 'l'); return a .. '|' .. b", allow_stdin=True)
    for answer in ("h\u00e9llo", "42"):
        m = k.kc.get_stdin_msg(timeout=PATIENCE)
        same((m["msg_type"], m["parent_header"]["msg_id"]), ("input_request", id))
        k.kc.input(answer)
    same(k.finish(id).ok().result(), "h\u00e9llo|42")
    out = k.run("io.read()", allow_stdin=False, stop_on_error=False)
    assert "nobody can be asked" in out.reply["evalue"], out.reply
    id = k.kc.execute("io.read()", allow_stdin=True, stop_on_error=False)
    k.kc.get_stdin_msg(timeout=PATIENCE)
    k.km.interrupt_kernel()
    same(k.finish(id).reply["ename"], "Interrupted")


# ---- Ctrl-C ----

LOOPS = {
    "a loop": "while true do end",
    "a coroutine": "coroutine.wrap(function() while true do end end)()",
    "pcall": "while true do pcall(function() while true do end end) end",
    "both": "while true do pcall(coroutine.wrap(function() while true do pcall(function() end) end end)) end",
    "tensors": "local x = tensor.randn(300, 300); while true do x:matmul(x) end",
    "prints": "while true do print('x') end",
    "a child": "os.execute('sleep 1000')",
}


def interrupt(mode):
    k = Kernel(mode)
    try:
        k.run("kept = 5")
        for name, code in LOOPS.items():
            if name == "a child":           # Lua goes on behind it
                code += "; while true do end"
            id, seen = k.start("print('started')\n" + code)
            reply = None
            end = time.time() + PATIENCE
            while not reply and time.time() < end:
                k.km.interrupt_kernel()     # pcall may catch the first
                try:
                    reply = k.kc.get_shell_msg(timeout=1)["content"]
                except Exception:
                    pass
                if reply and "ename" not in reply:
                    reply = None            # to the interrupt
            same((name, reply["ename"]), (name, "Interrupted"))
            k.idle(id)
            same(k.run("kept").result(), "5")
        k.km.interrupt_kernel()
        k.km.interrupt_kernel()
        same(k.run("kept").result(), "5")
    finally:
        k.close()


@case
def test_interrupt_signal():
    "SIGINT stops any computation, again and again, and is nothing to an idle kernel"
    interrupt("signal")


@case
def test_interrupt_message():
    "interrupt_request does the same"
    interrupt("message")


# ---- the end ----


@case
def test_shutdown():
    "a kernel that is busy answers its heart and ends when asked"
    for code in ("while true do end", "while true do pcall(function() while true do end end) end"):
        k = Kernel()
        k.start("print('started') " + code)
        wait_for(k.kc.is_alive, "a heartbeat")
        process = k.km.provisioner.process
        k.kc.shutdown()
        wait_for(lambda: process.poll() is not None, "the end of the kernel")
        same(process.poll(), 0)
        k.close()
    k = Kernel()
    process = k.km.provisioner.process
    os.kill(k.pid, signal.SIGTERM)
    wait_for(lambda: process.poll() is not None, "the end of an idle kernel")
    k.close()
    k = Kernel()
    same(k.run("os.exit(3)", stop_on_error=False).reply["status"], "error")
    k.km.restart_kernel()
    k.kc.wait_for_ready(timeout=PATIENCE)
    same(k.run("1").result(), "1")
    k.close()


ORPHAN = """
import sys, time
sys.path.insert(0, %r)
from client import Kernel
k = Kernel()
print(k.pid, flush=True)
time.sleep(1000)
"""


@case
def test_orphan():
    "a kernel whose parent is killed ends"
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN % os.path.dirname(os.path.abspath(__file__))],
                              stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()

    def is_gone():
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    wait_for(is_gone, "the end of the kernel")


# ---- more ----


@case
def test_two_kernels():
    "two kernels know nothing of each other"
    a, b = Kernel.get(), Kernel()
    a.run("who = 'a'")
    b.run("who = 'b'")
    same(a.run("who").result() + b.run("who").result(), "ab")
    b.close()


@case
def test_history():
    "history by tail, range and search"
    k = Kernel()
    for code in ("x = 1", "y = 2", "x = 1"):
        k.run(code)
    h = k.ask("history", hist_access_type="search", pattern="x*", unique=True, raw=True, output=False)
    same([e[2] for e in h["history"]], ["x = 1"])
    h = k.ask("history", hist_access_type="range", session=0, start=1, stop=3, raw=True, output=False)
    same([e[1:] for e in h["history"]], [[1, "x = 1"], [2, "y = 2"]])
    k.close()


WIDGET = """
local fig = plot.figure{ size = { 100, 80 } }
local line = fig:axes{}:line{ y = { 0, 1 } }
knobs = fig:controls{ a = { 0, 2, value = 1 }, mode = { "one", "two" }, on_top = false, go = function() print("go") end }
knobs:on("a", function(v) line:set{ y = { v, 1 } } print("a", v) end)
knobs:on("mode", function(v) print("mode", v) end)
knobs:on("on_top", function(v) print("on_top", v) error("broken") end)
fig:show()
"""


@case
def test_widgets():
    "controls of a figure are widgets: the page sets them, Lua hears it, the picture follows"
    k = Kernel()
    id = k.kc.execute(WIDGET)
    out = k.finish(id).ok()
    models = {c["comm_id"]: c["data"]["state"] for c in out.all("comm_open")}
    find = {m["_model_name"]: i for i, m in models.items()}
    shown = out.all("display_data")[-1]["data"]
    same(shown["application/vnd.jupyter.widget-view+json"]["model_id"], find["VBoxModel"])
    assert "a = 1" in shown["text/plain"] and "ipywidgets" in shown["text/plain"]
    same(models[find["FloatSliderModel"]]["max"], 2)

    def tell(model, data):
        k.kc.shell_channel.send(k.kc.session.msg("comm_msg", {"comm_id": find[model], "data": data}))

    k.run("print('a cell in between')")   # what callbacks print goes where the widget is
    tell("FloatSliderModel", {"method": "update", "state": {"value": 1.5}})
    same(k.until(id, "stream")[-1][1]["text"], "a\t1.5\n")
    while k.kc.get_iopub_msg(timeout=PATIENCE)["msg_type"] != "update_display_data":
        pass
    tell("DropdownModel", {"method": "update", "state": {"index": 1}})
    k.until(id, "stream", lambda c: c["text"] == "mode\ttwo\n")
    tell("ButtonModel", {"method": "custom", "content": {"event": "click"}})
    k.until(id, "stream", lambda c: c["text"] == "go\n")
    tell("CheckboxModel", {"method": "update", "state": {"value": True}})
    k.until(id, "stream", lambda c: "broken" in c["text"])
    tell("FloatSliderModel", {"method": "update", "state": {"value": "nonsense"}})
    (update,) = k.run("knobs.a = 0.25; print(knobs.a, knobs.mode)").ok().all("comm_msg")
    same(update["data"]["state"], {"value": 0.25})
    same(set(k.ask("comm_info")["comms"]), set(models))
    k.kc.shell_channel.send(k.kc.session.msg("comm_open", {"comm_id": "x", "target_name": "no such", "data": {}}))
    while True:
        m = k.kc.get_iopub_msg(timeout=PATIENCE)
        if m["msg_type"] == "comm_close":
            same(m["content"]["comm_id"], "x")
            break
    k.close()


@case
def test_late_widgets():
    "controls that come in a later cell are shown there, once"
    k = Kernel.get()
    view = "application/vnd.jupyter.widget-view+json"

    def widgets(code):
        out = k.run(code).ok()
        return [d["data"]["text/plain"].split("\n")[0] for d in out.all("display_data") if view in d["data"]]

    same(widgets("late = plot.figure{ size = { 40, 30 } }; late:axes{}; late:show()"), [])
    same(widgets("late:controls{ a = { 0, 2, value = 1 } };"), ["controls: a = 1"])
    same(widgets("late:controls().a = 2"), [])
    same(widgets("late:controls{ b = true };"), ["controls: a = 2, b = true"])
    same(widgets("late:show()"), ["controls: a = 2, b = true"])
    k.run("late = nil")


if __name__ == "__main__":
    main()
