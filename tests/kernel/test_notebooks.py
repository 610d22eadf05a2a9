# test_notebooks.py -- the notebooks of the workshop through nbclient: every check in them passes, and each
# cell shows what it shows in the committed file.  time limit: 900 s
import glob
import os
import sys

import nbformat
from nbclient import NotebookClient

from client import case, main, same

IMAGES = "/usr/share/datasets/fashion-mnist"
NEEDS_IMAGES = ("05-", "06-")


def kinds(cell):
    """What a cell shows: the kinds of its outputs, of data the best type. Progress bars, which come when a
    loop takes long, and widgets are only seen in a page."""
    shown = []
    for o in cell.outputs:
        data = o.get("data", {})
        best = [m for m in ("image/png", "text/html", "text/plain") if m in data][:1]
        kind = (o.output_type, o.get("name") or best)
        if o.output_type == "display_data" and best != ["image/png"]:
            continue
        if o.output_type != "stream" or shown[-1:] != [kind]:
            shown.append(kind)
    return shown


def run(path):
    book = nbformat.read(path, 4)
    nbformat.validate(book)
    wanted = [kinds(c) for c in book.cells if c.cell_type == "code"]
    NotebookClient(book, timeout=300, kernel_name="tide").execute()
    nbformat.validate(book)
    got = [kinds(c) for c in book.cells if c.cell_type == "code"]
    for i, (a, b) in enumerate(zip(got, wanted), 1):
        same((i, a), (i, b))


word = sys.argv[1] if len(sys.argv) > 1 else ""
sys.argv[1:] = []
for path in sorted(glob.glob("notebooks/*.ipynb")):
    name = os.path.basename(path)
    if word not in name or (name.startswith(NEEDS_IMAGES) and not os.path.isdir(IMAGES)):
        continue

    def one(path=path):
        run(path)
    one.__doc__ = path + " runs as it is kept"
    one.__name__ = name
    case(one)

if __name__ == "__main__":
    main()
