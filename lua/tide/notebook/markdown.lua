-- markdown.lua -- the Markdown of notebooks as HTML.
--
-- Headings, paragraphs, lists, tables, quotes, fenced and indented code, rules, HTML as it stands;
-- inside of lines code, **strong**, *emphasis*, ~~deleted~~, links, images, bare addresses.

local escape = require("tide.shell.display").escape

local M = {}

---- inside of lines ----

-- Parts that are done wait here; \1 and a number stand for them.
local function keep(kept, html)
  kept[#kept + 1] = html
  return "\1" .. #kept .. "\1"
end

local signs = {
  alpha = "α", beta = "β", gamma = "γ", delta = "δ", epsilon = "ε", theta = "θ", kappa = "κ",
  lambda = "λ", mu = "μ", pi = "π", rho = "ρ", sigma = "σ", tau = "τ", phi = "φ", omega = "ω",
  Sigma = "Σ", to = "→", cdot = "·", times = "×", le = "≤", ge = "≥", ne = "≠", approx = "≈",
  sim = "∼", infty = "∞", nabla = "∇", int = "∫", sum = "∑", sqrt = "√",
  langle = "⟨", rangle = "⟩", log = "log ", sin = "sin ", cos = "cos ", arctan = "arctan ", exp = "exp ",
}

-- Formulas of one line: letters, signs, sub- and superscripts.
local function formula(text)
  text = escape(text):gsub("\\frac(%d)(%d)", "%1/%2")
  text = text:gsub("\\frac%s*{([^{}]*)}%s*{([^{}]*)}", function(a, b)
    return (a:find "%s" and "(%s)" or "%s"):format(a) .. " / " .. (b:find "%s" and "(%s)" or "%s"):format(b)
  end)
  text = text:gsub("\\(%a+) ?", signs):gsub("\\,", " "):gsub("√{([^{}]*)}", "√%1")
  for _, mark in ipairs { { "%^", "sup" }, { "_", "sub" } } do
    local html = ("<%s>%%1</%s>"):format(mark[2], mark[2])
    text = text:gsub(mark[1] .. "{([^{}]*)}", html):gsub(mark[1] .. "([%w\194-\244*+-][\128-\191]*)", html)
  end
  return '<span class="math">' .. text .. "</span>"
end

local function safe(url) return not url:lower():find "^%s*javascript:" and url or "#" end

local function inline(text, o)
  local kept = {}
  text = text:gsub("\1", "")
  text = text:gsub("(`+)(.-)%1", function(_, code)
    return keep(kept, "<code>" .. escape((code:gsub("^ (.*) $", "%1"))) .. "</code>")
  end)
  text = text:gsub("\\([%p])", function(c) return keep(kept, escape(c)) end)
  text = text:gsub("%$%$?([^%$\n]+)%$%$?", function(math)
    if math:find "^%s" or math:find "%s$" then return nil end
    return keep(kept, formula(math))
  end)
  text = text:gsub("</?%a[^<>]*>", function(tag) return keep(kept, tag) end)
  text = text:gsub("<(%a+:[^<>%s]+)>", function(url)
    return keep(kept, ('<a href="%s">%s</a>'):format(escape(safe(url)), escape(url)))
  end)
  text = text:gsub("!%[([^%]]*)%]%(([^%s%)]+)[^%)]*%)", function(alt, url)
    local src = o.image and o.image(url) or safe(url)
    return keep(kept, ('<img src="%s" alt="%s">'):format(escape(src), escape(alt)))
  end)
  text = text:gsub("%[([^%]]*)%]%(([^%s%)]+)[^%)]*%)", function(label, url)
    return keep(kept, ('<a href="%s">'):format(escape(safe(url)))) .. label .. keep(kept, "</a>")
  end)
  text = text:gsub("%f[%w]https?://[%w%-%._~:/%?#%[%]@!%$&'%*%+,;=%%]+", function(url)
    local tail = url:match "[%.,;:!%?]*$"
    url = url:sub(1, #url - #tail)
    return keep(kept, ('<a href="%s">%s</a>'):format(escape(url), escape(url))) .. tail
  end)
  text = escape(text)
  text = text:gsub("%*%*([^%s*].-)%*%*", "<strong>%1</strong>")
  text = text:gsub("%f[%w_]__([^%s_].-)__%f[^%w_]", "<strong>%1</strong>")
  text = text:gsub("%*([^%s*][^*]*)%*", "<em>%1</em>")
  text = text:gsub("%f[%w_]_([^%s_][^_]*)_%f[^%w_]", "<em>%1</em>")
  text = text:gsub("~~(.-)~~", "<del>%1</del>")
  text = text:gsub("  +\n", "<br>\n")
  for _ = 1, 4 do                     -- parts inside of parts
    text = text:gsub("\1(%d+)\1", function(i) return kept[tonumber(i)] end)
  end
  return text
end

---- blocks ----

local blocks

local function list_item(line)
  local pad, mark, rest = line:match "^(%s*)([-*+])%s+(.*)$"
  if not mark then
    pad, mark, rest = line:match "^(%s*)(%d+[%.%)])%s+(.*)$"
  end
  if not mark or line:match "^%s*[-*_]%s*[-*_]%s*[-*_][-*_%s]*$" then return nil end
  return #pad, mark, rest
end

-- A list from line i on: its HTML, and the line behind it.
local function list(lines, i, o)
  local depth, mark = list_item(lines[i])
  local ordered, items, loose = mark:find "%d" ~= nil, {}, false
  while lines[i] do
    local pad, m, rest = list_item(lines[i])
    if not pad or pad > depth + 1 or pad < depth or (m:find "%d" ~= nil) ~= ordered then break end
    local inside, width = { rest }, pad + #m + 1
    i = i + 1
    while lines[i] do
      local line = lines[i]
      if line:find "^%s*$" then
        local after = lines[i + 1]
        if not (after and (after:find("^" .. (" "):rep(math.min(width, 2))) or list_item(after))) then
          break
        end
        if not list_item(after) or list_item(after) > depth then inside[#inside + 1] = "" end
        loose = loose or list_item(after) == depth
        i = i + 1
        if list_item(after) == depth then break end
      elseif list_item(line) and list_item(line) <= depth + 1 then break
      elseif line:find "^%s" or not line:find "^[#>`|]" then
        inside[#inside + 1] = line:gsub("^" .. (" ?"):rep(width), "")
        i = i + 1
      else break end
    end
    local html = blocks(inside, o)
    if not loose then html = html:gsub("^<p>(.-)</p>", "%1", 1) end
    items[#items + 1] = "<li>" .. html .. "</li>"
  end
  local tag = ordered and "ol" or "ul"
  return ("<%s>\n%s\n</%s>"):format(tag, table.concat(items, "\n"), tag), i
end

local function cells_of(line)
  local cells = {}
  line = line:gsub("\\|", "\2"):gsub("^%s*|", ""):gsub("|%s*$", "")
  for cell in (line .. "|"):gmatch "(.-)|" do
    cells[#cells + 1] = cell:gsub("\2", "|"):match "^%s*(.-)%s*$"
  end
  return cells
end

local function table_html(lines, i, o)
  local align, out = {}, { "<table>" }
  for j, rule in ipairs(cells_of(lines[i + 1])) do
    local left, right = rule:find "^:", rule:find ":$"
    align[j] = right and (' style="text-align:%s"'):format(left and "center" or "right") or ""
  end
  local function row(line, tag)
    local parts = {}
    for j, cell in ipairs(cells_of(line)) do
      parts[j] = ("<%s%s>%s</%s>"):format(tag, align[j] or "", inline(cell, o), tag)
    end
    out[#out + 1] = "<tr>" .. table.concat(parts) .. "</tr>"
  end
  row(lines[i], "th")
  i = i + 2
  while lines[i] and lines[i]:find "|" do
    row(lines[i], "td")
    i = i + 1
  end
  out[#out + 1] = "</table>"
  return table.concat(out, "\n"), i
end

local function fenced(lines, i, o)
  local fence, language = lines[i]:match "^%s*([`~][`~][`~]+)%s*(%S*)"
  local code = {}
  i = i + 1
  while lines[i] and not lines[i]:find("^%s*" .. fence) do
    code[#code + 1] = lines[i]
    i = i + 1
  end
  local text = table.concat(code, "\n")
  local html = language == "lua" and o.lua and o.lua(text) or escape(text)
  return "<pre><code>" .. html .. "</code></pre>", i + 1
end

local function gather(lines, i, strip)
  local inside = {}
  while lines[i] and lines[i]:find(strip) do
    inside[#inside + 1] = lines[i]:gsub(strip, "", 1)
    i = i + 1
  end
  return inside, i
end

local function heading(line, o)
  local marks, text = line:match "^(#+)%s+(.-)%s*#*$"
  if not marks or #marks > 6 then return nil end
  local id = text:lower():gsub("[^%w%s-]", ""):gsub("%s+", "-")
  if o.heading then o.heading(#marks, text, id) end
  return ('<h%d id="%s">%s</h%d>'):format(#marks, id, inline(text, o), #marks)
end

local function is_rule(line)
  line = line:gsub("%s", "")
  return line:find "^%-%-%-+$" or line:find "^%*%*%*+$"
end

local function starts_block(lines, i)
  local line = lines[i]
  return line:find "^%s*$" or line:find "^#+%s" or line:find "^%s*```" or line:find "^%s*~~~"
    or line:find "^>" or is_rule(line) or list_item(line) or line:find "^<[%a/!]"
end

-- One block from line i on: its HTML, and the line behind it.
local function block(lines, i, o)
  local line = lines[i]
  local title = heading(line, o)
  if title then return title, i + 1 end
  if line:find "^%s*```" or line:find "^%s*~~~" then return fenced(lines, i, o) end
  if is_rule(line) then return "<hr>", i + 1 end
  if list_item(line) then return list(lines, i, o) end
  if line:find "^>" then
    local inside, after = gather(lines, i, "^> ?")
    return "<blockquote>" .. blocks(inside, o) .. "</blockquote>", after
  end
  if line:find "^    " then
    local inside, after = gather(lines, i, "^    ")
    return "<pre><code>" .. escape(table.concat(inside, "\n")) .. "</code></pre>", after
  end
  if line:find "^<[%a/!]" then
    local from = i
    while lines[i] and lines[i]:find "%S" do i = i + 1 end
    return table.concat(lines, "\n", from, i - 1), i
  end
  if line:find "|" and lines[i + 1] and lines[i + 1]:find "^[%s|:-]*%-[%s|:-]*$" then
    return table_html(lines, i, o)
  end
  local text = { line }
  i = i + 1
  while lines[i] and not starts_block(lines, i) do
    text[#text + 1] = lines[i]
    i = i + 1
  end
  return "<p>" .. inline(table.concat(text, "\n"), o) .. "</p>", i
end

function blocks(lines, o)
  local out, i = {}, 1
  while lines[i] do
    if lines[i]:find "^%s*$" then
      i = i + 1
    else
      out[#out + 1], i = block(lines, i, o)
    end
  end
  return table.concat(out, "\n")
end

-- The HTML of a text. Options: image(url) gives another address for an image, lua(code) the HTML of
-- Lua code, heading(level, text, id) hears of headings.
function M.html(text, o)
  local lines = {}
  for line in (text:gsub("\r\n?", "\n"):gsub("\t", "    ") .. "\n"):gmatch "(.-)\n" do
    lines[#lines + 1] = line
  end
  return blocks(lines, o or {})
end

return M
