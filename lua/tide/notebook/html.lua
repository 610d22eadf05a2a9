-- html.lua -- a notebook as one HTML file that needs no other: pictures are inside, solutions folded.

local display = require "tide.shell.display"
local file = require "tide.notebook.file"
local lex = require "tide.shell.lex"
local markdown = require "tide.notebook.markdown"

local escape = display.escape
local M = {}

local STYLE = [[
:root { --ink: #1f2933; --soft: #627080; --line: #dde3ea; --back: #fff; --cell: #f6f8fa; --link: #1d5fa8;
  --key: #8a3ea8; --str: #2a7f3e; --num: #b0571b; --com: #76828f; --bad: #b3261e; --note: #eef4fb }
@media (prefers-color-scheme: dark) { :root { --ink: #dde3ea; --soft: #9aa7b4; --line: #38424d;
  --back: #171c21; --cell: #20272e; --link: #7fb3ea; --key: #cf9ae4; --str: #8acb9b; --num: #e7a878;
  --com: #8b98a5; --bad: #ff8a80; --note: #202c38 } .output img { background: #fff; border-radius: 4px } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1.2rem 5rem; max-width: 56rem; color: var(--ink); background:
  var(--back);
  font: 16px/1.6 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif }
h1, h2, h3 { line-height: 1.25; margin: 2.2rem 0 .8rem } h1 { margin-top: .5rem; font-size: 2rem }
h2 { padding-bottom: .25rem; border-bottom: 1px solid var(--line) }
a { color: var(--link) } p { margin: .8rem 0 } img { max-width: 100%; height: auto }
code, pre { font: .8125em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
code { background: var(--cell); padding: .1em .3em; border-radius: 3px }
pre { margin: 0; overflow-x: auto } pre code { background: none; padding: 0; font-size: 1em }
.markdown > pre, .code { background: var(--cell); border: 1px solid var(--line); border-radius: 6px;
  padding: .7rem .9rem; margin: .8rem 0 } .markdown > pre { overflow-x: auto }
.cell { position: relative; margin: 1rem 0 } .cell .code { margin: 0 }
.count { position: absolute; right: 100%; margin-right: .6rem; top: .8rem; color: var(--soft);
  font: 12px ui-monospace, monospace; white-space: nowrap }
.output { margin: .5rem 0 0; padding: 0 .9rem; overflow-x: auto } .output pre { white-space: pre-wrap }
.stderr { color: var(--soft) }
.error pre { color: var(--bad); border-left: 3px solid var(--bad); padding-left: .8rem }
table { border-collapse: collapse; margin: .8rem 0; font-size: .92em }
th, td { padding: .25rem .7rem; border: 1px solid var(--line) } th { background: var(--cell);
  text-align: left }
.output td { text-align: right; font-variant-numeric: tabular-nums }
blockquote { margin: 1rem 0; padding: .1rem 1rem; background: var(--note); border-left: 4px solid
  var(--link) }
details { margin: 1rem 0; border: 1px solid var(--line); border-radius: 6px; padding: 0 .9rem }
details[open] { padding-bottom: .6rem } summary { cursor: pointer; padding: .5rem 0; color: var(--link) }
.k { color: var(--key) } .s { color: var(--str) } .n { color: var(--num) } .c { color: var(--com) }
nav { font-size: .92em; color: var(--soft) } nav ul { padding-left: 1.2rem; margin: .3rem 0 }
footer { margin-top: 4rem; color: var(--soft); font-size: .85em } .math { font-style: italic }
details .count { display: none } @media (max-width: 64rem) { .count { display: none } }
@media print { body { max-width: none } details > *:not(summary) { display: block } }]]

---- code ----

local class = { keyword = "k", string = "s", number = "n" }

-- Comments are what stands between tokens.
local function between(text)
  return (text:gsub("^(%s*)(.-)(%s*)$", function(a, comment, b)
    if comment == "" then return a .. b end
    return a .. '<span class="c">' .. escape(comment) .. "</span>" .. b
  end))
end

local function lua_html(code)
  local out, at = {}, 1
  for _, t in ipairs((lex.tokens(code))) do
    out[#out + 1] = between(code:sub(at, t.from - 1))
    local text = escape(code:sub(t.from, t.to))
    out[#out + 1] = class[t.kind] and ('<span class="%s">%s</span>'):format(class[t.kind], text) or text
    at = t.to + 1
  end
  out[#out + 1] = between(code:sub(at))
  return table.concat(out)
end

---- outputs ----

local ansi = { ["1"] = "font-weight:bold", ["2"] = "opacity:.65", ["31"] = "color:var(--bad)",
  ["32"] = "color:var(--str)", ["33"] = "color:var(--num)", ["34"] = "color:var(--link)",
  ["35"] = "color:var(--key)", ["36"] = "color:var(--link)" }

-- Text with the colours of a terminal.
local function terminal(text)
  local open = 0
  text = escape(text):gsub("\27%[([%d;]*)m", function(codes)
    local styles = {}
    for code in codes:gmatch "%d+" do styles[#styles + 1] = ansi[code] end
    if #styles == 0 then
      local close = ("</span>"):rep(open)
      open = 0
      return close
    end
    open = open + 1
    return ('<span style="%s">'):format(table.concat(styles, ";"))
  end)
  return text .. ("</span>"):rep(open)
end

local function image(mime, bytes, meta, alt)
  local size = type(meta) == "table" and type(meta[mime]) == "table" and meta[mime] or {}
  local width = tonumber(size.width) and (' width="%d"'):format(size.width) or ""
  return ('<img%s alt="%s" src="data:%s;base64,%s">'):format(width, escape(alt), mime,
    (bytes:gsub("%s", "")))
end

local pictures = { "image/png", "image/jpeg", "image/gif" }

-- The best of what an output offers.
local function data_html(out, o)
  local data = out.data or {}
  local alt = type(data["text/plain"]) == "string" and data["text/plain"]:match "[^\n]*" or "picture"
  if data["image/svg+xml"] then
    return image("image/svg+xml", display.base64(data["image/svg+xml"]), out.metadata, alt)
  end
  for _, mime in ipairs(pictures) do
    if data[mime] then return image(mime, data[mime], out.metadata, alt) end
  end
  if data["text/html"] then return data["text/html"] end
  if data["text/markdown"] then return markdown.html(data["text/markdown"], o) end
  return "<pre>" .. terminal(data["text/plain"] or "") .. "</pre>"
end

local function output_html(out, o)
  local kind, html = out.output_type, nil
  if kind == "stream" then
    html = "<pre>" .. terminal(out.text:gsub("\n$", "")) .. "</pre>"
    return ('<div class="output %s">%s</div>'):format(out.name == "stderr" and "stderr" or "", html)
  elseif kind == "error" then
    local lines = {}
    for i, line in ipairs(out.traceback or {}) do lines[i] = tostring(line) end
    return '<div class="output error"><pre>' .. terminal(table.concat(lines, "\n")) .. "</pre></div>"
  end
  return '<div class="output">' .. data_html(out, o) .. "</div>"
end

---- cells ----

local function code_cell(cell, o)
  local parts = {}
  local count = math.type(cell.execution_count) == "integer" and
    ('<div class="count">[%d]</div>'):format(cell.execution_count) or ""
  parts[1] = '<div class="cell">' .. count .. '<div class="code"><pre><code>' .. lua_html(cell.source) ..
    "</code></pre></div>"
  for _, out in ipairs(cell.outputs or {}) do parts[#parts + 1] = output_html(out, o) end
  parts[#parts + 1] = "</div>"
  return table.concat(parts, "\n")
end

local function cell_html(cell, o)
  if cell.cell_type == "markdown" then
    return '<div class="markdown">\n' .. markdown.html(cell.source, o) .. "\n</div>"
  end
  if cell.cell_type ~= "code" then return "<pre>" .. escape(cell.source) .. "</pre>" end
  if cell.source == "" and #(cell.outputs or {}) == 0 then return "" end
  local html = code_cell(cell, o)
  if not file.is_folded(cell) then return html end
  local label = file.tagged(cell, "solution") and "Solution" or "Code"
  return ("<details><summary>%s</summary>\n%s\n</details>"):format(label, html)
end

---- the page ----

local function contents(headings)
  local out = {}
  for _, h in ipairs(headings) do
    if h.level == 2 then
      out[#out + 1] = ('<li><a href="#%s">%s</a></li>'):format(h.id, escape((h.text:gsub("[`*]", ""))))
    end
  end
  return #out > 2 and "<nav><ul>\n" .. table.concat(out, "\n") .. "\n</ul></nav>" or ""
end

-- Pictures beside the notebook come into the page.
local function embedded(folder)
  return function(url)
    local mime = ({ png = "image/png", jpg = "image/jpeg", jpeg = "image/jpeg", gif = "image/gif",
      svg = "image/svg+xml" })[url:lower():match "%.(%w+)$" or ""]
    if not mime or url:find "^%a+:" then return url end
    local f <close> = io.open(url:sub(1, 1) == "/" and url or folder .. url, "rb")
    return f and ("data:%s;base64,%s"):format(mime, display.base64(f:read "a")) or url
  end
end

-- The page of a notebook that was read from path.
function M.write(nb, path)
  local headings, parts = {}, {}
  local o = { lua = lua_html, image = embedded(path:match "^(.*/)" or ""),
    heading = function(level, text, id)
      headings[#headings + 1] = { level = level, text = text, id = id }
    end }
  for _, cell in ipairs(nb.cells) do parts[#parts + 1] = cell_html(cell, o) end
  local first = headings[1]
  local title = first and first.text:gsub("[`*]", "") or path:match("[^/]+$"):gsub("%.ipynb$", "")
  local body = table.concat(parts, "\n")
  if first and first.level == 1 then
    body = body:gsub("</h1>", function() return "</h1>\n" .. contents(headings) end, 1)
  end
  return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' ..
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' ..
    "<title>%s</title>\n<style>\n%s\n</style>\n</head>\n<body>\n%s\n<footer>%s, a notebook of " ..
    "Springtide</footer>\n</body>\n</html>\n"):format(escape(title), STYLE, body,
    escape(path:match "[^/]+$"))
end

return M
