-- display.lua -- values as notebooks show them: tide.display, pictures that stay up to date.
--
--   display.bundle(x, o)     data, metadata: data[mime type] = text, or bytes of a picture
--   display.encoded(data)    a copy in which bytes are base64, as JSON wants them
--   display.open(sink)       from now on tide.display goes to a notebook; nil: to the terminal again
--   display.show(fig)        fig:show() in a notebook
--   display.due(fig)         fig:due() there
--   display.refresh(last)    pictures that have changed are drawn anew: now and then, or, at the
--                            end of a cell, all of them
--
-- A sink has display(data, metadata, id, update) and clear(wait): id names an output, update replaces
-- all outputs with that id; and, if it likes, shown(fig, now), called when a figure has been shown and
-- at the end of cells for all that were before. What shows values at the prompt is in show.lua.
local tide = require("tide")
local show = require("tide.shell.show")
local M = {}

local EDGE = 5                        -- rows and columns at each end of a long tensor
local MOST = { 12, 12 }               -- rows and columns that are all shown
local PIXELS = 4 / 3                  -- of a page for a point of a figure
local PAUSE = 0.25                    -- seconds between two drawings of a figure, at least;
local SHARE = 0.15                    -- so much of the time goes into drawing,
local FLOW = 400e3                    -- and so many bytes a second out
local REST = 0.4                      -- seconds without a change: time for a sharp picture

M.scale = 2                           -- pixels of PNGs for a pixel of the page

-- ---- HTML ----

local marks = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }
local function escape(text) return (text:gsub('[&<>"]', marks)) end
M.escape = escape

-- A table of rows of HTML; the first row is a head if asked.
local function html_table(caption, rows, head)
  local out = { "<div><small>", caption, "</small><table>" }
  for i, row in ipairs(rows) do
    local tag = head and i == 1 and "th" or "td"
    out[#out + 1] = "<tr>"
    for _, cell in ipairs(row) do out[#out + 1] = ("<%s>%s</%s>"):format(tag, cell, tag) end
    out[#out + 1] = "</tr>"
  end
  out[#out + 1] = "</table></div>"
  return table.concat(out)
end

local function number_text(v)
  if math.type(v) ~= "float" then return tostring(v) end
  return ("%.4g"):format(v)
end

-- Positions of a dim of n that are shown; 0 stands for those left out.
local function shown(n, most)
  local list = {}
  for i = 1, n do
    if n <= most or i <= EDGE or i > n - EDGE then list[#list + 1] = i
    elseif i == EDGE + 1 then list[#list + 1] = 0 end
    if n > most and i == EDGE + 1 then break end
  end
  if n > most then
    for i = n - EDGE + 1, n do list[#list + 1] = i end
  end
  return list
end

-- Only what is shown is copied from the device.
local function tensor_html(x)
  local dims = x:dim()
  if dims < 1 or dims > 2 or x:numel() == 0 then return nil end
  local caption = tostring(x.dtype) .. ", " .. table.concat(x.shape, " &times; ") ..
    (x.requires_grad and ", requires grad" or "")
  x = x:detach()
  if dims == 1 then x = x:reshape(1, -1) end
  local columns, rows = shown(x.shape[2], MOST[2]), {}
  for _, i in ipairs(shown(x.shape[1], MOST[1])) do
    local row, cells = i > 0 and x[i], {}
    local left = row and row:narrow(1, 1, math.min(x.shape[2], MOST[2])):totable()
    local right = row and x.shape[2] > MOST[2] and row:narrow(1, x.shape[2] - EDGE + 1, EDGE):totable()
    for k, j in ipairs(columns) do
      local v = row and j > 0 and (right and k > EDGE + 1 and right[k - EDGE - 1] or left[k])
      cells[k] = v ~= false and number_text(v) or "&hellip;"
      if not row or j == 0 then cells[k] = "&hellip;" end
    end
    rows[#rows + 1] = cells
  end
  return html_table(caption, rows)
end

local function module_html(net)
  local rows, total = { { "layer", "kind", "parameters" } }, 0
  for name, module in net:named_modules() do
    local n, shapes, extra = 0, {}, module:extra()
    for own, p in module:named_parameters() do
      n = n + p:numel()
      if not own:find(".", 1, true) then
        shapes[#shapes + 1] = escape(own) .. " " .. table.concat(p.shape, "&times;")
      end
    end
    if name == "" then total = n end
    rows[#rows + 1] = { escape(name), escape(module.__name .. (extra ~= "" and "(" .. extra .. ")" or "")),
      #shapes > 0 and table.concat(shapes, ", ") or n > 0 and show.grouped(n) .. " in all" or "" }
    if #rows > 40 then
      rows[#rows + 1] = { "&hellip;", "", "" }
      break
    end
  end
  return html_table(show.grouped(total) .. " parameters", rows, true)
end

-- ---- bundles ----

local function meta_field(x, name)
  local meta = debug.getmetatable(x)
  return type(meta) == "table" and rawget(meta, name) or nil
end

local function is_figure(x) return meta_field(x, "__name") == "tide.plot.Figure" end

local function is_mime(key) return type(key) == "string" and key:find("^[%w%-+.]+/[%w%-+.]+$") ~= nil end

-- { ["text/html"] = ... }: all keys are mime types.
local function is_bundle(x)
  if type(x) ~= "table" or debug.getmetatable(x) or next(x) == nil then return false end
  for k, v in next, x do
    if not is_mime(k) or type(v) ~= "string" then return false end
  end
  return true
end

local kinds = { png = "image/png", svg = "image/svg+xml", jpg = "image/jpeg", jpeg = "image/jpeg",
  gif = "image/gif", html = "text/html", md = "text/markdown", txt = "text/plain" }

local function of_file(path)
  local mime = kinds[tostring(path):match("%.(%w+)$") or ""]
  if not mime then
    tide.raise(("display: '%s': the name must end in .png, .jpg, .gif, .svg, .html, .md or .txt")
      :format(tostring(path)))
  end
  local f <close>, why = io.open(path, "rb")
  if not f then tide.raise("display: " .. why) end
  return { [mime] = f:read("a"), ["text/plain"] = mime ~= "text/plain" and path or nil }
end

local function of_figure(fig, o)
  local data, metadata = { ["text/plain"] = tostring(fig) }, {}
  if not require("tide").plot.can_save then return data, metadata end
  local size, format = fig:get("size"), o.format or "png"
  local mime = kinds[format]
  if format ~= "png" and format ~= "svg" then
    tide.raise(('display: format is "png" or "svg", not %s'):format(tostring(format)))
  end
  local scale = format == "png" and PIXELS * (o.scale or M.scale) or nil
  data[mime] = fig:render({ format = format, scale = scale, wait = o.wait })
  metadata[mime] = { width = math.floor(size[1] * PIXELS + 0.5), height = math.floor(size[2] * PIXELS + 0.5) }
  return data, metadata
end

-- What a notebook shows of a value: {[mime type] = text or bytes}, and {[mime type] = {width=, height=}}.
-- A value whose metatable has __display says itself what it is: __display(x, options).
function M.bundle(x, o)
  o = tide.options("display", o, { "format", "scale", "id" })
  local own = meta_field(x, "__display")
  if own then
    local data, metadata = own(x, o)
    return data, metadata or {}
  end
  if is_figure(x) then return of_figure(x, o) end
  if is_bundle(x) then return x, {} end
  if type(x) == "table" and not debug.getmetatable(x) and type(x.file) == "string" and
    next(x, next(x)) == nil then return of_file(x.file), {} end
  local data, html = { ["text/plain"] = show.format(x) }, nil
  if tide.tensor.is_tensor(x) then html = tensor_html(x)
  elseif show.is_module(x) then html = module_html(x) end
  data["text/html"] = html
  return data, {}
end

local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local pairs_of                        -- [0..4095] = two digits

function M.base64(bytes)
  if not pairs_of then
    pairs_of = {}
    for i = 0, 4095 do
      local a, b = i >> 6, i & 63
      pairs_of[i] = digits:sub(a + 1, a + 1) .. digits:sub(b + 1, b + 1)
    end
  end
  local out, n, byte = {}, 0, string.byte
  for i = 1, #bytes - 2, 3 do
    local a, b, c = byte(bytes, i, i + 2)
    out[n + 1], out[n + 2], n = pairs_of[a << 4 | b >> 4], pairs_of[(b & 15) << 8 | c], n + 2
  end
  local rest = #bytes % 3
  if rest > 0 then
    local a, b = byte(bytes, -rest, -1)
    local v = a << 16 | (b or 0) << 8
    out[n + 1] = pairs_of[v >> 12]
    out[n + 2] = rest == 1 and "==" or pairs_of[v & 4095]:sub(1, 1) .. "="
  end
  return table.concat(out)
end

local function is_text(mime)
  return mime:find("^text/") or mime:find("json$") or mime:find("xml$") or mime:find("javascript$")
end

function M.encoded(data)
  local out = {}
  for mime, v in pairs(data) do
    out[mime] = type(v) == "string" and not is_text(mime) and M.base64(v) or v
  end
  return out
end

-- ---- the notebook, if there is one ----

local sink
local count = 0

-- Figures that are shown: [fig] = {id=, changes=, ...}; and fig by that. Only the second is walked: its
-- entries go before a figure is finalised, those of the first go later.
local figures, live

function M.open(s)
  sink = s
  figures, live = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "v" })
end

M.open(nil)

function M.active() return sink ~= nil end
M.in_notebook = M.active              -- tide.in_notebook

local place = tostring(M):match("%x+$") or ""

-- A name that no other output has; the user's random numbers stay as they are.
local function new_id()
  count = count + 1
  return ("tide-%x%s-%d"):format(os.time(), place, count)
end
M.new_id = new_id

local Display = { __name = "tide.Display" }
Display.__index = Display

function Display:update(x, o)
  if not sink then return M.display(x, o) end
  local data, metadata = M.bundle(x, o)
  sink.display(data, metadata, self.id, true)
  return self
end

function Display:__tostring() return ("tide.Display(%s)"):format(self.id) end

-- tide.display
function M.display(x, o)
  if not sink then
    if is_bundle(x) then x = x["text/plain"] or (next(x)) .. " for a notebook" end
    show.show(x)
    return setmetatable({ id = "" }, Display)
  end
  local data, metadata = M.bundle(x, o)
  local id = o and o.id or new_id()
  sink.display(data, metadata, id, false)
  return setmetatable({ id = id }, Display)
end

function M.clear_output(wait)
  if sink then sink.clear(wait and true or false) end
end

-- ---- figures that stay up to date ----

local function changes_of(fig) return require("tide.plot.window").changes(fig) end

local free = 0                        -- when there is time and room for the next picture of any figure

local function draw(fig, s, update, last)
  local start = tide.clock()
  s.changes, s.sharp = changes_of(fig), last
  local data, metadata = of_figure(fig, { scale = last and M.scale or 1, wait = last and true or false })
  local now, bytes = tide.clock(), #(data["image/png"] or "") * 4 / 3
  local cost = math.max((now - start) / SHARE, bytes / FLOW)
  s.pause, s.at, free = math.max(PAUSE, cost), now, now + cost
  sink.display(data, metadata, s.id, update)
end

-- A figure has one output in each cell that shows it; those of earlier cells stay as they are.
function M.show(fig)
  local s = figures[fig]
  if not s or s.cell ~= M.cell then
    s = { id = new_id(), cell = M.cell, due = 0 }
    if figures[fig] then live[figures[fig]] = nil end
    figures[fig], live[s] = s, fig
    draw(fig, s, false, true)
    if sink.shown then sink.shown(fig, true) end
  else
    M.refresh()
  end
  return fig
end

-- Values of a cell that say nothing new: a figure that it has shown, the file that io.write returns.
function M.is_known(...)
  local v = ...
  if select("#", ...) ~= 1 or v == nil then return false end
  return v == io.stdout or v == io.stderr or figures[v] ~= nil and figures[v].cell == M.cell
end

function M.forget(fig)
  if figures[fig] then live[figures[fig]] = nil end
  figures[fig] = nil
end

-- Figures, the one whose picture is oldest first.
local function by_age()
  local list = {}
  for s, fig in pairs(live) do list[#list + 1] = { s, fig } end
  table.sort(list, function(a, b) return a[1].at < b[1].at end)
  return list
end

function M.refresh(last)
  for _, item in ipairs(by_age()) do
    local s, fig, now = item[1], item[2], tide.clock()
    if last then require("tide.plot.late").settle(fig) end
    local changed = s.changes ~= changes_of(fig)
    local due = last or now >= s.at + s.pause and now >= free
    if changed and due or last and not s.sharp then draw(fig, s, true, last) end
    if last and sink.shown then sink.shown(fig, false) end
  end
end

-- While no cell runs: the same, and a sharp picture where changes have come to rest. Milliseconds until
-- there will be something to do, or -1.
function M.idle()
  local wait = math.huge
  for _, item in ipairs(by_age()) do
    local s, fig, now = item[1], item[2], tide.clock()
    local changed = s.changes ~= changes_of(fig)
    if changed or not s.sharp then
      local due = math.max(free, s.at + (changed and s.pause or REST))
      if now >= due then
        draw(fig, s, true, not changed)
        due = changed and s.at + REST or now
      end
      if due > now then wait = math.min(wait, due - now) end
    end
  end
  return wait < math.huge and math.ceil(1000 * wait) or -1
end

function M.due(fig)
  local s = figures[fig]
  if not s then return false end
  M.refresh()
  local now = tide.clock()
  if now < s.due then return false end
  s.due = now + s.pause
  return true
end

return M
