-- kernel.lua -- documentation of outputs in notebooks.
return {
["tide.display"] = {
  sig = "tide.display(x [, {format=, scale=, id=}])",
  text = "Shows a value as an output of its own: in a notebook figures as pictures, tensors as tables, " ..
    "modules as a list of their layers, anything else as tide.show prints it; at the prompt and in " ..
    "scripts it prints. A table whose keys are mime types is shown as what it says, " ..
    "{file = \"picture.png\"} as that file. A value of your own says what it is with __display(x, " ..
    "options) in its metatable, which returns such a table of mime types.",
  args = { { "x", "any" }, { "options", "table", 'format="png" (or "svg", of figures), scale=2 ' ..
    "(dots for each pixel of the page), id (a name for the output)", optional = true } },
  returns = "an object; object:update(y) shows y in the place of x, wherever that stands",
  errors = "An unknown option or format; a file that cannot be read.",
  example = [[
local d = tide.display({ ["text/html"] = "<b>warm</b>", ["text/plain"] = "warm" })
d:update("cold")]] },
["tide.clear_output"] = {
  sig = "tide.clear_output([wait])",
  text = "Takes away what the cell of a notebook has shown so far; elsewhere it does nothing.",
  args = { { "wait", "boolean", "true: only when the next output comes, which avoids flicker; default false",
    optional = true } },
  returns = "nothing", example = "tide.clear_output(true)" },
["tide.in_notebook"] = {
  sig = "tide.in_notebook()",
  text = "Do outputs go to a notebook? Then fig:show() puts a picture below the cell and keeps it up to " ..
    "date, at most 4 times a second, and fig:due() says when it is worth changing it.",
  returns = "boolean", example = "if not tide.in_notebook() then print('at a terminal') end" },
["topic.notebook"] = { title = "Notebooks", text = [[
From a shell:  tide kernel install    then JupyterLab, Jupyter Notebook or VS Code
offer "Springtide". tide kernel list says where it is, uninstall removes it.

A cell is what one would type at the prompt: locals carry over, values of
expressions are shown, x; keeps quiet, ?name opens the pager, !command runs.

  tide.display(x)          shows a value now; d = tide.display(x), d:update(y)
                           replaces it
  tide.clear_output()      takes away what the cell has shown
  fig:show()               a picture that stays up to date, up to 4 times a
                           second, and is kept as it was at last
  fig:due()                in a loop: is it time to change the figure?
  fig:controls{...}        sliders, menus and buttons below it, if ipywidgets
                           is installed where Jupyter runs; else a sentence
  tide.progress            a bar that stays in its place
  io.read()                asks in the page
  tide.spawn(f)            runs while no cell does

The stop button stops any computation: pcall and coroutines do not hide it.
Restarting ends what runs at once. os.exit is an error in cells.

Without Jupyter:  tide nb FILE.ipynb             runs it, keeps the outputs
                  tide nb --check *.ipynb        runs, changes nothing
                  tide nb --to html FILE.ipynb   one page with its pictures
                  tide nb --to lua FILE.ipynb    a script
                  tide nb new FILE.ipynb         tide nb --help says more
At the first error it stops, names the cell and the line, leaves the file as
it was, and exits with status 1.]] },
}
