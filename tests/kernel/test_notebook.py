# test_notebook.py -- a notebook through nbclient, on a kernel that was installed: what stays in the file.
import nbformat
from nbclient import NotebookClient

from client import case, main, same

CELLS = ["""local fig = plot.figure{ size = { 60, 60 } }
local line = fig:axes{}:line{ y = { 0, 1 } }
fig:show()
for i = 1, 50 do
  line:set{ y = { i, 1 } }
  fig:due()
end
fig:show()""",
         "for i in tide.progress(12) do os.execute('sleep 0.1') end\nprint('done')",
         "print('one')\ntide.clear_output()\nprint('two')",
         "tensor.ones(2, 2)",
         "error('as it should')"]


@case
def test_saved():
    "pictures and bars are there once, as they were at last"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    NotebookClient(book, timeout=120, kernel_name="tide", allow_errors=True).execute()
    nbformat.validate(book)
    outputs = [c.outputs for c in book.cells]
    same([o.output_type for o in outputs[0]], ["display_data"])
    same(outputs[0][0].metadata["image/png"], {"width": 80, "height": 80})
    same([o.output_type for o in outputs[1]], ["display_data", "stream"])
    assert outputs[1][0].data["text/plain"].startswith("12/12"), outputs[1]
    same([o.text for o in outputs[2]], ["two\n"])
    same(sorted(outputs[3][0].data), ["text/html", "text/plain"])
    same(outputs[4][0].evalue, "In[5]:1: as it should")
    same([c.execution_count for c in book.cells], [1, 2, 3, 4, 5])


if __name__ == "__main__":
    main()
