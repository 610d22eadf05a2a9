-- notebook.lua -- tests of notebooks: files, running, scripts, Markdown, HTML, and those of the workshop.

local t = require "tests.check"
local tide = require "tide"
local json = require "tide.json"
local file = require "tide.notebook.file"
local html = require "tide.notebook.html"
local markdown = require "tide.notebook.markdown"
local run = require "tide.notebook.run"
local script = require "tide.notebook.script"

for _, name in ipairs { "tensor", "plot" } do _G[name] = tide[name] end   -- for cells
_G.tide = tide

-- A notebook of cells of code, after a run.
local function ran(sources, options)
  local cells = {}
  for i, s in ipairs(sources) do
    cells[i] = type(s) == "table" and s or file.cell("code", s)
  end
  local nb = file.new(cells)
  local failure = run.run(nb, options)
  return nb, failure
end

local function outputs(source)
  local nb, failure = ran { source }
  return nb.cells[1].outputs, failure
end

-- ---- JSON ----

t.test("JSON is written as Python does, with everything that was read", function()
  local text = [[
{
 "a": [],
 "b": {},
 "c": null,
 "d": [
  null,
  1,
  2.0,
  1e-07,
  0.1
 ],
 "e": "é😀]] .. "\127" .. [[\u0001\n\"\\/",
 "f": [
  [
   false
  ]
 ]
}]]
  local v = json.decode(text, true)
  t.eq(json.encode(v, "python"), text)
  t.eq(#v.d, 5)
  t.ok(v.c == json.null)
  t.eq(tostring(json.null), "null")
end)

t.test("plain reading and writing are as before", function()
  t.eq(json.encode({ 1, 2, { a = {} } }), '[\n  1,\n  2,\n  {\n    "a": {}\n  }\n]')
  t.eq(json.decode "{\"a\": null, \"b\": [1]}", { b = { 1 } })
end)

-- ---- files ----

local SMALL = [[
{
 "cells": [
  {
   "attachments": {
    "x.txt": {
     "text/plain": [
      "a"
     ]
    }
   },
   "cell_type": "markdown",
   "id": "one",
   "metadata": {
    "mine": {
     "deep": [
      1,
      null
     ]
    }
   },
   "source": [
    "# Title\n",
    "ü"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "id": "two",
   "metadata": {},
   "outputs": [],
   "source": [
    "print(1)"
   ]
  }
 ],
 "metadata": {
  "unknown": "kept"
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
]]

t.test("what is read is written again, byte for byte", function()
  t.eq(file.text(file.parse(SMALL, "x")), SMALL)
  local nb = file.parse(SMALL, "x")
  t.eq(nb.cells[1].source, "# Title\nü")
  t.eq(run.run(nb), nil)
  local again = file.parse(file.text(nb), "x")
  t.eq(again.metadata.unknown, "kept")
  t.eq(again.metadata.kernelspec.name, "tide")
  t.eq(again.cells[1].metadata.mine.deep[1], 1)
  t.eq(again.cells[2].outputs, { { name = "stdout", output_type = "stream", text = "1\n" } })
end)

t.test("a source may be one string; numbers of the format are checked", function()
  local nb = file.parse('{"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": ' ..
    '[{"cell_type": "code", "metadata": {}, "outputs": [], "source": "a\\nb"}]}', "x")
  t.eq(nb.cells[1].source, "a\nb")
  file.complete(nb)
  t.eq(nb.nbformat_minor, 5)
  t.ok(nb.cells[1].id:find "^%x+$")
end)

t.test("what the format demands is there in the end, though it was left out", function()
  local nb = file.parse('{"nbformat": 4, "nbformat_minor": 5, "cells": [{"cell_type": "code", ' ..
    '"source": "1"}, {"cell_type": "raw", "source": "", "metadata": null}]}', "x")
  t.eq(run.run(nb), nil)
  local text = file.text(nb)
  t.ok(text:find('"execution_count": 1', 1, true) and text:find('"outputs": [', 1, true), text)
  t.eq(select(2, text:gsub('"metadata": {}', "")), 3)
end)

t.test("what is no notebook", function()
  local function reading(text) return function() file.parse(text, "bad.ipynb") end end
  t.raises("bad.ipynb is no notebook: line 1", reading "print(1)")
  t.raises("it has no cells", reading "{}")
  t.raises("it has no cells", reading "3")
  t.raises("nbformat 4 is understood, not 3", reading '{"nbformat": 3, "cells": []}')
  t.raises("cell 1: its outputs are no list", reading
    '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "outputs": 7}]}')
  t.raises("cell 1 has no cell_type", reading '{"nbformat": 4, "cells": [{"source": ""}]}')
  t.raises("cell 1 has no source", reading '{"nbformat": 4, "cells": [{"cell_type": "raw"}]}')
  t.raises("without output_type", reading('{"nbformat": 4, "cells": [{"cell_type": "code", ' ..
    '"source": "", "outputs": [{}]}]}'))
  t.raises("No such file", function() file.read "/nowhere/x.ipynb" end)
end)

t.test("cells get ids that do not depend on the time", function()
  local function ids()
    local nb = file.new { file.cell("code", "x"), file.cell("code", "x"), file.cell("raw", "y") }
    return nb.cells[1].id, nb.cells[2].id, nb.cells[3].id
  end
  local a, b, c = ids()
  t.ok(a ~= b and b ~= c and a ~= c)
  t.eq({ ids() }, { a, b, c })
end)

-- ---- running ----

t.test("streams of Lua, of stderr and of children, in order with displays", function()
  local out = outputs 'print "a"; os.execute "echo b"; tide.display("x"); io.write("c"); io.write "d"'
  t.eq(#out, 3)
  t.eq(out[1], { output_type = "stream", name = "stdout", text = "a\nb\n" })
  t.eq(out[2].output_type, "display_data")
  t.eq(out[3].text, "cd")
  out = outputs 'io.stderr:write "oops\\n"'
  t.eq(out, { { output_type = "stream", name = "stderr", text = "oops\n" } })
end)

t.test("a line that is drawn over", function()
  t.eq(outputs('io.write("10 %\\r20 %\\r30 %\\nend")')[1].text, "30 %\nend")
end)

t.test("results, and their numbers", function()
  local nb, failure = ran { "1 + 1", "  ", "local x = tensor.ones(2)\nx", "x * 2;", "nil", "1, 'a'" }
  t.eq(failure, nil)
  local c = nb.cells
  t.eq(c[1].outputs[1].data["text/plain"], "2")
  t.eq(c[1].outputs[1].execution_count, 1)
  t.eq(c[2].execution_count, json.null)
  t.eq(c[3].execution_count, 2)
  t.ok(c[3].outputs[1].data["text/html"]:find "<table>")
  t.eq(#c[4].outputs, 0)
  t.eq(#c[5].outputs, 0)
  t.eq(c[6].outputs[1].data["text/plain"], '1\ta')
end)

t.test("figures: as a result, shown, and with their last state", function()
  if not tide.plot.can_save then t.skip "no drawing in this build" end
  local nb = ran { "local fig = plot.figure { size = { 60, 40 } }\nlocal ax = fig:axes {}\nfig",
    "fig:show()\nax:line { y = { 1, 2 } }\nax:line { y = { 3, 1 } };" }
  local first, second = nb.cells[1].outputs[1], nb.cells[2].outputs
  t.eq(first.metadata["image/png"].width, 80)
  t.ok(first.data["image/png"]:find "^iVBOR")
  t.eq(#second, 1)
  t.ok(second[1].data["image/png"] ~= first.data["image/png"])
  local twice = ran { "local fig = plot.figure { size = { 60, 40 } }\nlocal ax = fig:axes {}\nfig" }
  t.eq(twice.cells[1].outputs[1].data["image/png"], first.data["image/png"])
  local coarse = ran({ "plot.figure { size = { 60, 40 } }" }, { scale = 1 })
  t.ok(#coarse.cells[1].outputs[1].data["image/png"] < #first.data["image/png"])
end)

t.test("displays that change, and outputs that are cleared", function()
  local out = outputs 'local d = tide.display("a")\nprint "b"\nd:update("c");'
  t.eq(out[1].data["text/plain"], "c")
  t.eq(out[2].text, "b\n")
  out = outputs 'print "a"\ntide.clear_output()\nprint "b"'
  t.eq(#out, 1)
  t.eq(out[1].text, "b\n")
end)

t.test("an error ends the run: where it was, and what was printed before", function()
  local nb, failure = ran { "local function f(a)\n  print 'before'\n  return a.b.c\nend",
    "local x = f({})", "print 'never'" }
  t.eq(failure.cell, 2)
  t.eq(failure.ename, "Error")
  t.ok(failure.evalue:find "^In%[1%]:3: attempt to index a nil value")
  local out = nb.cells[2].outputs
  t.eq(out[1].text, "before\n")
  t.eq(out[2].output_type, "error")
  local text = table.concat(out[2].traceback, "\n"):gsub("\27%[[%d;]*m", "")
  t.ok(text:find "return a.b.c", text)
  t.ok(text:find "In%[2%]:1: in main chunk", text)
  t.ok(not text:find "pcall", text)
  t.eq(#nb.cells[3].outputs, 0)
end)

t.test("errors that are wanted, and some that are missing", function()
  local function tagged(source)
    return file.cell("code", source, { tags = json.list { "raises-exception" } })
  end
  local nb, failure = ran { tagged "error 'x'", "1" }
  t.eq(failure, nil)
  t.eq(nb.cells[1].outputs[1].evalue, "In[1]:1: x")
  t.eq(nb.cells[2].outputs[1].data["text/plain"], "1")
  _, failure = ran { tagged "1" }
  t.ok(failure.evalue:find "raised none")
  nb, failure = ran({ "error {}", "return 1 2", "2" }, { allow_errors = true })
  t.eq(failure, nil)
  t.eq(nb.cells[2].outputs[1].ename, "SyntaxError")
  t.eq(#nb.cells[3].outputs, 1)
end)

t.test("a cell cannot leave, and reads no input", function()
  local out, failure = outputs "os.exit(0)"
  t.ok(failure.evalue:find "a notebook goes on")
  t.eq(#out, 1)
  t.eq(outputs('io.read() == nil')[1].data["text/plain"], "true")
end)

t.test("afterwards everything is as it was", function()
  local exit, enabled, show = os.exit, tide.progress.enabled, tide.in_notebook()
  ran { "error 'x'" }
  t.ok(os.exit == exit and tide.progress.enabled == enabled and tide.in_notebook() == show)
  t.eq(t.shell "echo still", "still\n")
end)

-- ---- scripts ----

local SCRIPT = [[
local above = 1

-- %% [markdown]
-- # Title
--
-- text -- with dashes

-- %%
local x = 6
x * 7

-- %% solution
print(x)
]]

t.test("from a script, and back", function()
  local nb = script.read(SCRIPT)
  t.eq(#nb.cells, 4)
  t.eq(nb.cells[2].source, "# Title\n\ntext -- with dashes")
  t.eq(nb.cells[3].source, "local x = 6\nx * 7")
  t.ok(file.is_folded(nb.cells[4]) and file.tagged(nb.cells[4], "solution"))
  local text = script.write(nb, "out.lua", "in.ipynb")
  t.ok(text:find("-- %% [markdown]\n-- # Title\n--\n-- text", 1, true))
  t.ok(text:find("local x = 6\ntide.show(x * 7)", 1, true))
  t.ok(text:find("-- %% solution\n", 1, true))
  t.ok(load(text))
  t.eq(script.read(text).cells[3].source, nb.cells[2].source)
end)

t.test("cells that are no plain Lua become plain Lua", function()
  local nb = file.new { file.cell("code", "?tensor.sum"), file.cell("code", "1, 2"),
    file.cell("code", "error 'x'", { tags = json.list { "raises-exception" } }) }
  local path = t.tmp "made.lua"
  t.write(path, script.write(nb, "made.lua", "x.ipynb"))
  local out, status = t.shell(("%s %s"):format(os.getenv "TIDE" or "build/tide", path))
  t.eq(status, 0)
  t.eq(out:gsub("made.lua:%d+", "made.lua"), "1\t2\nfalse\t" .. path .. ": x\n")
end)

-- ---- Markdown and HTML ----

t.test("Markdown", function()
  local function is(text, want) t.eq(markdown.html(text), want) end
  is("# A `b`", '<h1 id="a-b">A <code>b</code></h1>')
  is("a\nb\n\nc", "<p>a\nb</p>\n<p>c</p>")
  is("**a** *b* ~~c~~ a_b_c 2*3*4", "<p><strong>a</strong> <em>b</em> <del>c</del> a_b_c 2<em>3</em>4</p>")
  is("`<b> **x**`", "<p><code>&lt;b&gt; **x**</code></p>")
  is("a < b & c", "<p>a &lt; b &amp; c</p>")
  is("[a *b*](http://x.y/z?q=1)", '<p><a href="http://x.y/z?q=1">a <em>b</em></a></p>')
  is("[a](javascript:alert(1))", '<p><a href="#">a</a>)</p>')
  is("see https://x.org/a.", '<p>see <a href="https://x.org/a">https://x.org/a</a>.</p>')
  is("* a\n* b\n  1. c\n  2. d", "<ul>\n<li>a</li>\n<li>b\n<ol>\n<li>c</li>\n<li>d</li>\n</ol></li>\n</ul>")
  is("> a\n> b", "<blockquote><p>a\nb</p></blockquote>")
  is("```\na < b\n```", "<pre><code>a &lt; b</code></pre>")
  is("|a|b|\n|-|-:|\n|1|`x`|", '<table>\n<tr><th>a</th><th style="text-align:right">b</th></tr>\n' ..
    '<tr><td>1</td><td style="text-align:right"><code>x</code></td></tr>\n</table>')
  is("---", "<hr>")
  is("<details><summary>S</summary>\n\n**x**\n\n</details>",
    "<details><summary>S</summary>\n<p><strong>x</strong></p>\n</details>")
  is("$x_0^2 + \\sigma_{ij}$", '<p><span class="math">x<sub>0</sub><sup>2</sup> + σ<sub>ij</sub></span></p>')
  is("costs $5 and $6", "<p>costs $5 and $6</p>")
  is("", "")
end)

t.test("a page that needs no other file, with solutions folded", function()
  local nb = ran { "local a = '<b>' -- <note>\nprint('<i>')",
    file.cell("code", "1 + 1", { jupyter = { source_hidden = true }, tags = json.list { "solution" } }) }
  table.insert(nb.cells, 1, file.cell("markdown", "# Title & more\n\ntext"))
  local page = html.write(nb, "dir/some.ipynb")
  t.ok(page:find("<title>Title &amp; more</title>", 1, true))
  t.ok(page:find("<details><summary>Solution</summary>", 1, true))
  t.ok(page:find('<span class="c">-- &lt;note&gt;</span>', 1, true))
  t.ok(page:find("<pre>&lt;i&gt;</pre>", 1, true))
  t.ok(not page:find "<script" and not page:find 'src="http' and not page:find "<link")
end)

-- ---- the workshop ----

local function workshop()
  local list = {}
  for path in t.shell "ls notebooks/*.ipynb":gmatch "[^\n]+" do list[#list + 1] = path end
  return list
end

t.test("there are eight notebooks", function() t.eq(#workshop(), 8) end)

for _, path in ipairs(workshop()) do
  t.test(path .. " has outputs, folded solutions, and is laid out as Jupyter does", function()
    local text = t.read(path)
    local nb = file.parse(text, path)
    t.ok(file.text(nb) == text, "tide nb would write it otherwise")
    t.ok(not text:find "/home/" and not text:find "/tmp/", "a path of one machine")
    local count, solutions, checks = 0, 0, 0
    for i, cell in ipairs(nb.cells) do
      if cell.cell_type == "code" then
        count = count + 1
        t.eq(cell.execution_count, count, "cell " .. i)
        if cell.source:find "assert" then checks = checks + 1 end
        if file.tagged(cell, "solution") then
          solutions = solutions + 1
          t.ok(file.is_folded(cell) and cell.metadata.jupyter.outputs_hidden,
            "the solution in cell " .. i .. " is open")
        end
        for _, out in ipairs(cell.outputs) do
          t.ok(out.output_type ~= "error" or file.tagged(cell, "raises-exception"), "error in cell " .. i)
        end
      end
    end
    t.ok(solutions >= 2 and checks >= 4, "too few solutions or checks")
    t.ok(#text < 1e6, "too large; run it with --scale 1")
  end)
end
