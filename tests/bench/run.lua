-- run.lua -- the benchmarks: `make bench`, or tide tests/bench/run.lua [options]
--
--   --peers PYTHON   interpreter that has torch, jax and scikit-learn, as far as they are to be
--                    compared with; "none" leaves them out (default python3)
--   --only WORDS     only rows whose names are among these, separated by commas: rows of rows.lua,
--                    start, frames, growth, memory
--   --rounds N       rounds in which all sides take turns (default 5), each of --seconds S (default 1)
--   --minutes M      when two thirds of it are over (default 15), rounds get shorter and nothing more
--                    is compiled, so that there is an end; --limit S: seconds to get ready (default 90)
--   --device cuda    on a GPU, with rows and peers for it; --peer_device cpu: peers on the CPU all the same
--   --full           more variants of peers, complete lengths, the small programs too
--   --quick          tiny sizes and no peers, to see that everything runs
--   --out FILE       where results go (default tests/bench/results/MACHINE.json)
--
-- Results are written after each row.  tests/bench/report.lua makes a page and pictures of them.

package.path = "./?.lua;" .. package.path
local tide = require "tide"
local json = require "tide.json"
local Peer = require "tests.bench.peer"
local rounds = require "tests.bench.rounds"
local rows = require "tests.bench.rows"
local machine = require "tests.bench.machine"
local growth = require "tests.bench.growth"
local report = require "tests.bench.report"

tide.progress.enabled = false

---- options ----

local VALUES = { peers = "python3", only = "", rounds = 5, seconds = 1, out = "", limit = 90, minutes = 15,
                 device = "cpu", peer_device = "" }
local FLAGS = { full = true, quick = true }

local function options(args)
  local o, given = { full = false, quick = false }, {}
  for k, v in pairs(VALUES) do o[k] = v end
  local i = 1
  while i <= #args do
    local name = args[i]:match "^%-%-([%w_]+)$"
    if FLAGS[name] then o[name] = true
    elseif VALUES[name] ~= nil and args[i + 1] then
      i = i + 1
      local v = args[i]
      o[name] = type(VALUES[name]) == "number" and
        (tonumber(v) or error("--" .. name .. " wants a number, not " .. v, 0)) or v
      given[name] = true
    else
      error(("run.lua: '%s' is no option; the head of tests/bench/run.lua lists them"):format(args[i]), 0)
    end
    i = i + 1
  end
  if o.quick then
    if not given.rounds then o.rounds = 2 end
    if not given.seconds then o.seconds = 0.005 end
    if not given.peers then o.peers = "none" end
  end
  return o
end

local o = options(arg)
local first = -1
while arg[first - 1] do first = first - 1 end
local program = arg[first]
o.program = program

local function wanted(name)
  return o.only == "" or ("," .. o.only .. ","):find("," .. name .. ",", 1, true) ~= nil
end

---- where results go ----

local about = machine.about()
local on_device = o.device ~= "cpu"
if on_device then
  tide.set_device(o.device)                -- an error says why there is none
  for k, v in pairs(machine.device(o.device)) do about[k] = v end
  rows = rows.cuda
end
if o.peer_device == "" then o.peer_device = o.device end
local path = o.out ~= "" and o.out or ("tests/bench/results/%s.json"):format(about.slug)
assert(os.execute("mkdir -p " .. Peer.quoted(path:match "^(.*)/" or ".")))
local results = { machine = about, date = os.date "!%Y-%m-%d %H:%M UTC", rounds = o.rounds,
                  seconds = o.seconds, quick = o.quick, peers = {}, rows = {}, load_before = machine.load() }

local function save()
  local f = assert(io.open(path .. ".tmp", "w"))
  assert(f:write(json.encode(results), "\n"))
  f:close()
  assert(os.rename(path .. ".tmp", path))
end

o.say = function(text)
  print(text)
  io.stdout:flush()
end

-- Runs a part; what fails is said and kept, and the others go on.
local function part(name, f, always)
  if not always and not wanted(name) then return end
  local start = tide.clock()
  local ok, why = xpcall(f, debug.traceback)
  if not ok then
    o.say(("%s failed: %s"):format(name, why))
    results.failed = results.failed or {}
    results.failed[#results.failed + 1] = name .. ": " .. tostring(why):match "^[^\n]*"
  end
  results.took = results.took or {}
  results.took[name] = tide.clock() - start
  save()
end

---- parts ----

o.folder = os.tmpname()
os.remove(o.folder)
assert(os.execute("mkdir -p " .. Peer.quoted(o.folder)))

local peers = {}
local function start_peers()
  if o.peers == "none" then
    o.say "peers: none asked for"
    return
  end
  for _, name in ipairs(on_device and { "torch", "jax" } or { "torch", "jax", "sklearn" }) do
    local p, why = Peer.start(o.peers, ("tests/bench/peers/%s_peer.py"):format(name), o.folder, o.peer_device)
    if p then
      peers[#peers + 1] = p
      results.peers[#results.peers + 1] = { peer = p.peer, version = p.version, settings = p.settings }
      o.say(("peer: %s %s, %s"):format(p.peer, p.version, p.settings))
    else
      o.say(("peer: no %s: %s"):format(name, why))
    end
  end
end

local began = tide.clock()

-- Shorter rounds from now on, when little time is left.
local function hurry()
  if o.hurried or o.full or tide.clock() - began < o.minutes * 40 then return end
  o.hurried, results.hurried = true, true
  o.seconds = math.min(o.seconds, 0.3)
  o.say "little time is left: shorter rounds, and nothing more is compiled"
end

local function measure_rows()
  for _, row in ipairs(rows) do
    part(row.id, function()
      hurry()
      o.say(row.title)
      local r = rounds.measure(row, peers, o)
      results.rows[#results.rows + 1] = r
      for _, line in ipairs(report.lines(r, results.machine)) do o.say(line) end
    end)
  end
end

-- Seconds until a program has done a line, the least of several.
local function start_up()
  local list = {
    { "tide -e ''", Peer.quoted(program) .. " -e ''" },
    { "tide, with a tensor", Peer.quoted(program) .. " -e 'tensor.ones(2)'" },
  }
  for _, p in ipairs(peers) do
    local line = ({ torch_peer = "import torch; torch.ones(2)", jax_peer = "import jax.numpy as n; n.ones(2)",
                    sklearn_peer = "import sklearn.neighbors" })[p.name]
    list[#list + 1] = { p.peer, ("%s -c '%s'"):format(Peer.quoted(o.peers), line) }
  end
  results.start = {}
  for _, item in ipairs(list) do
    local times = {}
    for i = 1, o.quick and 2 or 5 do
      local start = tide.clock()
      assert(os.execute(item[2] .. " >/dev/null 2>&1"), item[1] .. " failed")
      times[i] = tide.clock() - start
    end
    results.start[#results.start + 1] = { what = item[1], seconds = rounds.median(times) }
    o.say(("start-up: %-24s %8.1f ms"):format(item[1], rounds.median(times) * 1e3))
  end
end

-- Times of frames, by the bench of figures.
local function frames()
  local file = o.folder .. "/frames.json"
  local line = ("timeout -k 5 120 %s tests/bench/plot.lua --json %s >%s/frames.log 2>&1"):format(
    Peer.quoted(program), Peer.quoted(file), Peer.quoted(o.folder))
  assert(os.execute(line), "tests/bench/plot.lua failed, or took more than two minutes")
  local f = io.open(file)
  if not f then return o.say "frames: tests/bench/plot.lua wrote no figures" end
  results.frames = json.decode(f:read "a")
  f:close()
  for name, value in pairs(results.frames) do o.say(("frames: %-60s %8.3f"):format(name, value)) end
end

local function small_programs()
  for _, name in ipairs { "kernels", "products", "typing" } do
    local file = (program:match "^(.*)/" or ".") .. "/tests/bench/" .. name
    if os.execute("test -x " .. Peer.quoted(file)) then os.execute(Peer.quoted(file)) end
  end
  for _, name in ipairs { "metrics", "capture" } do
    os.execute(("%s tests/bench/%s.lua"):format(Peer.quoted(program), name))
  end
  os.execute(("TIDE=%s bash tests/shell/prompt.sh tests/bench/prompt.pty"):format(Peer.quoted(program)))
end

o.say(("%s, %d threads, load %.2f"):format(about.gpu or about.cpu, about.threads, results.load_before))
if results.load_before > 0.5 and not o.quick then
  o.say "this machine does other work: times will not repeat"
end
part("ceilings", function()
  results.machine.ceilings = on_device and machine.device_ceilings(o.quick) or
    machine.ceilings(program, o.quick)
  o.say(machine.text(results.machine.ceilings))
end, true)
part("peers", start_peers, true)
measure_rows()
if not on_device then part("start", start_up) end
for _, p in ipairs(peers) do p:close() end
if not on_device then
  part("growth", function() results.growth = growth.times(o) end)
  part("memory", function() results.memory = growth.memory(o) end)
  if not o.quick then part("frames", frames) end
  if o.full then part("programs", small_programs) end
end
results.load_after = machine.load()
save()
os.execute("rm -rf " .. Peer.quoted(o.folder))
o.say(report.table(results))
o.say("results: " .. path)
if results.failed then
  o.say("failed: " .. table.concat(results.failed, "; "))
  os.exit(1, true)
end
