-- report.lua -- results of the benchmarks as lines, as a table, and as a page with pictures.
--
--   tide tests/bench/report.lua RESULTS.json... FOLDER    writes FOLDER/speed.md and its pictures
--
-- Every number on the page comes from the files of results.

package.path = "./?.lua;" .. package.path
local tide = require "tide"
local json = require "tide.json"
local growth = require "tests.bench.growth"

local report = {}

---- numbers ----

-- Seconds in a fitting unit.
local function duration(s)
  if s < 1e-3 then return ("%.3g us"):format(s * 1e6) end
  if s < 1 then return ("%.3g ms"):format(s * 1e3) end
  if s < 120 then return ("%.3g s"):format(s) end
  return s < 7200 and ("%.3g min"):format(s / 60) or ("%.3g h"):format(s / 3600)
end

-- What part of the products' ceiling a row reaches, and the rate.
local function reached(row, machine)
  if not row.flops or not machine.ceilings then return nil end
  local rate = row.flops / row.ours.median / 1e9
  return rate / (machine.ceilings[row.spec.precision] or machine.ceilings.product), rate,
    machine.ceilings.machine and rate / machine.ceilings.machine.fma
end

local function judged(side)
  local text = ("%.2fx"):format(side.ratio)
  local low, high = math.min(table.unpack(side.ratios)), math.max(table.unpack(side.ratios))
  text = text .. (" (%.2f to %.2f)"):format(low, high)
  if not side.one_sided then text = text .. ", rounds disagree" end
  return text
end

local function named(side)
  return ("%s, %s%s"):format(side.peer, side.variant,
    side.group ~= "best" and " (" .. side.group .. ")" or "")
end

---- as lines, while it runs ----

function report.lines(row, machine)
  local part, rate = reached(row, machine)
  local out = { ("  %-58s %10s%s"):format("tide", duration(row.ours.median),
    part and ("   %.0f GF/s, %.0f %% of products"):format(rate, 100 * part) or "") }
  if row.note then out[#out + 1] = "    " .. row.note end
  if row.host then
    out[#out + 1] = ("    %s until the host is through%s%s"):format(duration(row.host),
      row.nodes and (", %d kernels"):format(row.nodes) or "",
      row.bytes and (", %.2f TB/s at least"):format(row.bytes / row.ours.median / 1e12) or "")
  end
  for _, side in ipairs(row.peers) do
    local worst = 0
    for _, e in pairs(side.errors or {}) do worst = math.max(worst, e) end
    out[#out + 1] = ("  %-58s %10s   %s%s"):format(named(side), duration(side.median), judged(side),
      next(side.errors or {}) and (", differs by %.1g"):format(worst) or "")
  end
  return out
end

---- as a table ----

-- The fastest peer of each group, in order.
local function best_of_groups(row)
  local best, order = {}, {}
  for _, side in ipairs(row.peers) do
    if not best[side.group] then order[#order + 1] = side.group end
    if not best[side.group] or side.median < best[side.group].median then best[side.group] = side end
  end
  local list = {}
  for i, g in ipairs(order) do list[i] = best[g] end
  return list
end

-- A peer in the last column: who, what is aimed at, and doubts.
local function against(side)
  if not side then return "no peer" end
  local want = side.want and (side.ratio < side.want and "; WANTED %gx" or "; wanted %gx"):format(side.want)
  return named(side) .. (want or "") .. (side.one_sided and "" or "; rounds disagree")
end

function report.table(results)
  local out = { "", ("%-76s %9s %7s %7s  %s"):format("work", "tide", "ceiling", "ratio", "against") }
  for _, row in ipairs(results.rows) do
    local part = reached(row, results.machine)
    local sides = best_of_groups(row)
    local title, time = row.title, duration(row.ours.median)
    local ceiling = part and ("%.0f %%"):format(100 * part) or ""
    for i = 1, math.max(1, #sides) do
      local s = sides[i]
      out[#out + 1] = ("%-76s %9s %7s %7s  %s"):format(title, time, ceiling,
        s and ("%.2fx"):format(s.ratio) or "", against(s))
      title, time, ceiling = "", "", ""
    end
  end
  return table.concat(out, "\n")
end

---- as a page ----

local head = [[
Written by `make docs` from the files in `tests/bench/results`, which `make bench` writes: no number is
copied by hand.

## How the following is measured

* All sides run in one tree of processes and take turns: A, B, C, A, B, C ... for at least five rounds of a
  second or more. Peers sleep while others work. The time given is the median of the rounds, the ratio the
  median of the ratios of each round, and a row says so when its rounds are not all on the same side.
* Before anything is timed all sides compute the same thing from the same weights and draws: losses and
  gradients must agree to 1e-5, parameters after ten steps of Adam and values to 1e-4. A variant that does
  not agree is not timed.
* Of each peer several variants get ready (eager, compiled, one thread or all, in chunks of rows, fused
  optimisers); the fastest of a first try goes into the rounds. Time to compile, trace or record is not
  counted.
* *plain* is what one writes first, a time for each point; *shared* is a variant by hand that computes the
  conditioning once for all points that have the same time, as this library does by itself. *pairs*
  computes a density from all pairs; log densities below -20 are not compared, since peers lose them.
  *whole function* compiles the expression, instead of calling its ops.
* The ceiling is measured in the same run: products of the shapes that occur, multiply-adds that touch no
  memory, and memory. All products of the formula are counted, also those that can be left out, so a row
  may reach more than the ceiling.
* Work that would take minutes is cut, and the complete figure is the cut one times its factor; how time
  grows is below.

]]

local function write_rows(out, r)
  out("| work | time | of the products' ceiling | peer at its best | time | ratio (of the rounds) |")
  out("|---|---|---|---|---|---|")
  for _, row in ipairs(r.rows) do
    local part, _, whole = reached(row, r.machine)
    local sides = best_of_groups(row)
    for i = 1, math.max(1, #sides) do
      local s = sides[i]
      local title = row.title .. (row.note and " (" .. row.note .. ")" or "")
      out(("| %s | %s | %s | %s | %s | %s |"):format(i == 1 and title or "",
        i == 1 and duration(row.ours.median) ..
          (row.full and ("; complete %s"):format(duration(row.ours.median * row.full)) or "") or "",
        i == 1 and part and ("%.0f %%%s"):format(100 * part,
          whole and (", %.0f %% of multiply-adds"):format(100 * whole) or "") or "",
        s and named(s) or "none",
        s and duration(s.median) or "", s and judged(s) or ""))
    end
  end
  out ""
end

local function write_tried(out, r)
  out "All variants that were tried, with the time of the first try:\n"
  out "| work | variant | agrees | ready after | time |\n|---|---|---|---|---|"
  for _, row in ipairs(r.rows) do
    for _, t in ipairs(row.tried) do
      out(("| %s | %s, %s (%s) | %s | %s | %s |"):format(row.id, t.peer, t.variant, t.group,
        t.failed and (t.failed:gsub("|", "/")) or "yes", t.prepare and duration(t.prepare) or "",
        t.trial and duration(t.trial) or ""))
    end
  end
  out ""
end

local function picture_of_growth(r, folder, name)
  local plot = tide.plot
  local fig = plot.figure { size = { 900, 760 }, rows = 3, cols = 3 }
  for _, c in ipairs(r.growth) do
    local ax = fig:axes { title = c.id, xlabel = c.title:match "against (.*)$", ylabel = "ms" }
    local x, y, line = tide.tensor.from(c.x), {}, {}
    for i = 1, #c.x do y[i], line[i] = c.y[i] * 1e3, (c.offset + c.slope * c.x[i]) * 1e3 end
    ax:line(x, tide.tensor.from(line), { label = ("R2 = %.4f"):format(c.r2) })
    ax:scatter(tide.tensor.stack({ x, tide.tensor.from(y) }, 2), { size = 5 })
  end
  fig:save(("%s/%s-growth.png"):format(folder, name))
  return ("![Time against size, with straight lines](%s-growth.png)"):format(name)
end

local function write_growth(out, r, folder, name)
  if not r.growth then return end
  out "### Growth\n"
  out("Least squares of a straight line, on a net of three blocks of 256 (sizes take turns; the least " ..
    "of four):\n")
  out "| time of | sizes | from | to | R^2 |\n|---|---|---|---|---|"
  for _, c in ipairs(r.growth) do
    out(("| %s | %.9g to %.9g | %s | %s | %.4f |"):format(c.title, c.x[1], c.x[#c.x], duration(c.y[1]),
      duration(c.y[#c.y]), c.r2))
  end
  out ""
  if tide.plot.can_save then out(picture_of_growth(r, folder, name) .. "\n") end
end

local function write_memory(out, r)
  if not r.memory then return end
  out "Most bytes of tensors at a time, and most memory of the process, each in a process of its own:\n"
  out "| memory of | sizes | tensors, MB | process, MB |\n|---|---|---|---|"
  for _, m in ipairs(r.memory.lengths) do
    out(("| %s | %s | %s | %s |"):format(m.title, table.concat(m.x, ", "), growth.megabytes(m.bytes),
      growth.megabytes(m.process)))
  end
  local p = r.memory.replays
  out(("\n%d replays of a captured training step handed out %d bytes; the process grew by %.1f KB.\n"):format(
    p.count, p.bytes, p.resident / 1024))
end

local function write_machine(out, r, folder, name)
  local m = r.machine
  out(m.gpu and ("## %s, beside %s\n"):format(m.gpu, m.cpu)
    or ("## %s, %d threads\n"):format(m.cpu, m.threads))
  out(("%s, on %s, load before %.2f%s.\n"):format(m.backend, r.date, r.load_before,
    r.load_before > 0.5 and " (other work disturbed these times)" or ""))
  for _, p in ipairs(r.peers) do out(("* %s %s: %s"):format(p.peer, p.version, p.settings)) end
  if m.ceilings then out("* " .. require("tests.bench.machine").text(m.ceilings):gsub("\n", "\n* ")) end
  out ""
  write_rows(out, r)
  if r.start then
    out "| until the first line is done | time |\n|---|---|"
    for _, s in ipairs(r.start) do out(("| %s | %s |"):format(s.what, duration(s.seconds))) end
    out ""
  end
  if r.frames then
    out "| figures and windows | |\n|---|---|"
    local names = {}
    for what in pairs(r.frames) do names[#names + 1] = what end
    table.sort(names)
    for _, what in ipairs(names) do out(("| %s | %.3g |"):format(what, r.frames[what])) end
    out "\nMilliseconds, but for ratios and rates that say so.\n"
  end
  write_growth(out, r, folder, name)
  write_memory(out, r)
  if #r.peers > 0 then write_tried(out, r) end
end

local function read(path)
  local f = assert(io.open(path))
  local r, why = json.decode(f:read "a")
  f:close()
  return r or error(path .. ": " .. why, 0)
end

-- Writes speed.md and pictures into a folder, from files of results.
function report.write(paths, folder)
  local topic = require("tide.doc").get "speed".text:gsub("%s+$", "")
  local lines = { "# Speed\n", (("    " .. topic:gsub("\n", "\n    ")):gsub("\n +\n", "\n\n")), "", head }
  local function out(text) lines[#lines + 1] = text end
  for _, path in ipairs(paths) do
    write_machine(out, read(path), folder, path:match "([^/]+)%.json$")
  end
  if #paths == 0 then out "No results yet: run `make bench`." end
  local f = assert(io.open(folder .. "/speed.md", "w"))
  assert(f:write(table.concat(lines, "\n"), "\n"))
  f:close()
  local index = io.open(folder .. "/index.md", "r+")     -- of the manual, where it is there
  if not index then return end
  local link = "* [Speed](speed.md): measured beside PyTorch, JAX and scikit-learn; how time and memory grow."
  if not index:read "a":find(link, 1, true) then index:write(link, "\n") end
  index:close()
end

if arg and arg[0] and arg[0]:find "report%.lua$" then
  local paths = table.move(arg, 1, #arg, 1, {})
  report.write(paths, table.remove(paths))
end

return report
