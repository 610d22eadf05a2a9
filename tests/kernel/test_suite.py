# test_suite.py -- Jupyter's own tests of kernels, with every sample, on a kernel that was installed.
import inspect
import os
import sys
import unittest

import jupyter_kernel_test

PATIENCE = 90


def patient(channel):
    """A busy machine may take longer than the 0.1 s that these tests give a message."""
    get = channel.get_msg
    if inspect.iscoroutinefunction(get):
        async def get_msg(*a, timeout=None, **k):
            return await get(*a, timeout=timeout and max(timeout, PATIENCE), **k)
    else:
        def get_msg(*a, timeout=None, **k):
            return get(*a, timeout=timeout and max(timeout, PATIENCE), **k)
    channel.get_msg = get_msg


class Tide(jupyter_kernel_test.KernelTests):
    kernel_name = "tide"
    language_name = "lua"
    file_extension = ".lua"
    code_hello_world = "print('hello, world')"
    code_stderr = "io.stderr:write('mistake')"
    completion_samples = [
        {"text": "tensor.zeros_l", "matches": {"zeros_like"}},
        {"text": "string.byt", "matches": {"byte"}},
        {"text": "flow.targets.mo", "matches": {"mog", "moons"}},
    ]
    complete_code_samples = ["1", "print('x')", "function f(x) return x end", "", "-- comment", "x = 1; x"]
    incomplete_code_samples = ["print('x'", "function f(x)", "for i = 1, 3 do", "x = [[", "f(1,"]
    invalid_code_samples = ["import x", "x = = 1", "end", "goto nowhere"]
    code_page_something = "?tensor.sum"
    code_generate_error = "error('on purpose')"
    code_execute_result = [
        {"code": "1 + 2", "result": "3"},
        {"code": "'a' .. 'b'", "result": "ab"},
        {"code": "{ 1, 2, x = 3 }", "result": "{1, 2, x = 3}"},
        {"code": "tensor.ones(2)", "mime": "text/html"},
        {"code": "1 + 2", "result": "3"},
        {"code": "1 + 2", "result": "3"},
    ]
    code_display_data = [
        {"code": "tide.display(plot.figure{ size = { 100, 80 } })", "mime": "image/png"},
        {"code": "tide.display(plot.figure{ size = { 100, 80 } }, { format = 'svg' })", "mime": "image/svg+xml"},
        {"code": "tide.display { ['text/html'] = '<b>x</b>' }", "mime": "text/html"},
        {"code": "plot.figure{ size = { 100, 80 } }:show()", "mime": "image/png"},
    ]
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "1 +*"
    code_inspect_sample = "tensor.zeros"
    code_clear_output = "tide.clear_output()"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        patient(cls.kc.iopub_channel)

    def flush_channels(self):
        id = self.kc.kernel_info()
        while self.kc.get_shell_msg(timeout=PATIENCE)["parent_header"]["msg_id"] != id:
            pass
        while True:
            m = self.kc.get_iopub_msg(timeout=PATIENCE)
            if m["parent_header"].get("msg_id") == id and m["content"].get("execution_state") == "idle":
                return


class Tap(unittest.TextTestResult):
    count = 0

    def line(self, good, test, text=""):
        Tap.count += 1
        print(f"{'ok' if good else 'not ok'} {Tap.count} - {test.id().split('.')[-1]}{text}")

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line(True, test)

    def addSubTest(self, test, sub, err):
        super().addSubTest(test, sub, err)
        if err:
            self.line(False, test)
            print("# " + self._exc_info_to_string(err, test).replace("\n", "\n# "))

    def addFailure(self, test, err):
        self.addSubTest(test, test, err)

    addError = addFailure

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(False, test, ": no sample")


suites = [Tide]
if hasattr(jupyter_kernel_test, "IopubWelcomeTests"):
    class Welcome(jupyter_kernel_test.IopubWelcomeTests):
        kernel_name = "tide"
        support_iopub_welcome = True

    suites.append(Welcome)

load = unittest.defaultTestLoader.loadTestsFromTestCase
runner = unittest.TextTestRunner(stream=open(os.devnull, "w"), resultclass=Tap)
result = runner.run(unittest.TestSuite(load(s) for s in suites))
print(f"1..{Tap.count}")
sys.exit(not result.wasSuccessful())
