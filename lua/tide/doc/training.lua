-- training.lua -- documentation of checkpoints, records of runs and sweeps.
local function method(sig, text, returns, args)
  return { object = true, sig = sig, text = text, returns = returns, args = args or {} }
end
local path = { "path", "string", "any name; the format is safetensors" }

return {
["tide.checkpoint.save"] = {
  text = "Writes everything a loop needs to go on into one file, which appears whole or not at all: it is " ..
    "written beside its place, flushed to the disk and renamed. Kept are tensors, numbers, strings, " ..
    "booleans, tables of them, and objects with state_dict: modules, optimisers, averages, schedulers, " ..
    "generators, data.batches, runs of flow.train and flow.align. The state of the random stream is " ..
    "always kept.",
  args = { path, { "things", "table", "what to keep, by name" },
    { "options", "table", "keep [0]: how many files before it stay, as path.1 (the last), path.2, ...",
      optional = true } },
  returns = "nothing", errors = "A value that cannot be kept, named; a file that cannot be written.",
  example = [[
local path = os.tmpname()
local net = nn.Linear(2, 1)
local opt = optim.AdamW(net, { lr = 1e-3 })
tide.checkpoint.save(path, { model = net, optimizer = opt, step = 7, losses = { 0.5, 0.25 } })
local x = tensor.randn(3)
local back = tide.checkpoint.load(path, { model = net, optimizer = opt })
assert(back.step == 7 and back.losses[2] == 0.25 and tensor.randn(3):equal(x))
os.remove(path)]] },
["tide.checkpoint.load"] = {
  text = "Reads a checkpoint: objects take up what was kept under their names, the random stream goes on " ..
    "where it was, and all values are returned. A checksum says whether the file holds what was kept. " ..
    "When it is missing or damaged, one that keep= left " ..
    "(path.1, path.2, ...) is read instead.",
  args = { path, { "things", "table", "objects with load_state_dict, by name", optional = true },
    { "options", "table", "random [true]: restore the random stream", optional = true } },
  returns = "table of all values by name, the path of the file that was read, and what was wrong with " ..
    "those before it",
  errors = "No file that can be read; a name that the file does not hold.",
  example = [[
local path = os.tmpname()
local g = tide.generator(3)
tide.checkpoint.save(path, { g = g, best = 0.1 })
local a = tensor.randn(2, { generator = g })
assert(tide.checkpoint.load(path, { g = g }).best == 0.1)
assert(tensor.randn(2, { generator = g }):equal(a))
os.remove(path)]] },
["tide.checkpoint.exists"] = {
  text = "Is there a checkpoint at this path, or one that keep= left beside it?", args = { path },
  returns = "boolean", example = 'assert(not tide.checkpoint.exists "/nowhere/a.ckpt")' },

["tide.run"] = {
  text = "A record of what is run, in a folder runs/NAME of its own: run.json has the options, the seed, " ..
    "releases (Springtide, Lua, BLAS), the machine, the git commit of the current folder, times, the " ..
    "status (running, finished, failed, interrupted) and the summary; metrics.csv has a line for each " ..
    "run:log. A name that is taken gets a number. With local run <close> = tide.run{...} an error that " ..
    "leaves the block is noted as the reason. tide.runs and the command tide runs compare them.",
  args = { { "options", "table", "name (default: of the script), options (a table that is kept), seed, " ..
    "note, figures: names of the numbers to show in lists; dir ['runs'], or path: the folder " ..
    "itself; overwrite [false]: take the folder of that name; resume [false]: go on with it, lines " ..
    "of metrics that come again replace the old ones", optional = true } },
  returns = "a run: log, part, finish, fail, path, write, json, csv, save, figure; dir is its folder",
  errors = "An unknown option; a folder that cannot be made.",
  example = [[
local dir = os.tmpname()
os.remove(dir)
local run = tide.run{ name = "exp", dir = dir, options = { lr = 1e-3 } }
for step = 1, 3 do run:log(step, { loss = 1 / step }) end
run:finish{ final = 1 / 3 }
local list = tide.runs(dir)
assert(#list == 1 and list[1].status == "finished" and list[1].figures.final)
os.execute("rm -r " .. dir)]] },
["run:log"] = method("run:log(step, values)",
  "Adds a line to metrics.csv and hands it to the system at once, so that a kill loses at most that line. " ..
  "New names become new columns.", "the run",
  { { "step", "number" }, { "values", "table", "numbers or tensors of one element, by name" } }),
["run:part"] = method("run:part(name)", "What logs to the run under names of its own, as align.loss: for " ..
  "the second loop of a script, flow.align(v, y, { log = run:part \"align\" }).",
  "a log for flow.train, flow.align and log(step, values)", { { "name", "string" } }),
["run:finish"] = method("run:finish(summary)", "Notes the end, and the summary in run.json.", "the run",
  { { "summary", "table", "figures by name; may be nested", optional = true } }),
["run:fail"] = method("run:fail(message)", "Notes that the run went wrong, and why.", "the run",
  { { "message", "string" } }),
["run:path"] = method("run:path(name)", "The path of a file in the folder of the run.", "string",
  { { "name", "string" } }),
["run:write"] = method("run:write(name, text)", "Writes a file whole.", "nothing",
  { { "name", "string" }, { "text", "string" } }),
["run:json"] = method("run:json(name, value)",
  "Writes a table as JSON; under the name summary.json it is the summary too.", "nothing",
  { { "name", "string" }, { "value", "table" } }),
["run:csv"] = method("run:csv(name, names, columns)", "Writes columns of equal length.", "nothing",
  { { "name", "string" }, { "names", "table", "of strings" },
    { "columns", "table", "a list for each name" } }),
["run:save"] = method("run:save(name, x)", "data.save into the folder.", "nothing",
  { { "name", "string" }, { "x", "tensor|table" } }),
["run:figure"] = method("run:figure(name, fig)",
  "Saves a figure as .png and .pdf, where this build can draw.", "nothing",
  { { "name", "string", "without extension" }, { "fig", "figure" } }),

["tide.runs"] = {
  text = "What tide.run recorded, as a list that prints as a table: name, date, status, seconds, seed, " ..
    "options that differ, figures. Runs that are named one by one are compared: whatever differs, a " ..
    "line each. A folder that is damaged is named, and the others are shown. tide runs does the " ..
    "same on the command line (tide runs --help).",
  args = { { "...", "string", "folders, names or patterns such as toy*; default: all below runs/",
    optional = true },
    { "options", "table", "sort: name, date, status, seconds, seed, an option or a figure ('-loss': " ..
      "largest first); diff [false]; csv [false]; columns: list of options and figures to show",
      optional = true } },
  returns = "list of runs: name, dir, status, started, seconds, seed, options, figures (the summary and " ..
    "the last metrics), metrics, record, damage; list:plot(metric) gives a figure of their curves",
  errors = "An unknown option. Damaged folders are no errors.",
  example = [[
local dir = os.tmpname()
os.remove(dir)
for _, lr in ipairs{ 0.1, 0.2 } do
  tide.run{ name = "exp", dir = dir, options = { lr = lr } }:finish{ loss = lr * 2 }
end
local list = tide.runs(dir, { sort = "-loss" })
assert(list[1].name == "exp-2" and tostring(list):find("lr"))
os.execute("rm -r " .. dir)]] },
["runs:plot"] = method("runs:plot(metric)", "The curves of a metric, a line for each run that has it; " ..
  "'curve:nll' is column nll of curve.csv.", "figure, and the names of runs without it",
  { { "metric", "string" } }),

["tide.sweep.run"] = {
  text = "Calls a function for every combination of values and every seed, and collects the numbers " ..
    "that it returns: prints a table of means and standard deviations, writes sweep.csv (a line " ..
    "for each run), sweep.json and a picture with error bars. A call that fails is reported and " ..
    "the others go on. Scripts get it from their command line: --sweep lambda=0,0.01 --seeds 3 " ..
    "(see lua/tide/script.lua).",
  args = { { "options", "table", "over: list of {name, {values}}; run: function of (setting, seed, dir) " ..
    "that returns figures by name; out: folder; seeds [{1}]; figures: names to show; name; quiet " ..
    "[false]" } },
  returns = "table: rows (a setting each, with {mean=, std=, n=} under each figure), runs, figures, failed",
  errors = "Settings or a function that are missing.",
  example = [[
local dir = os.tmpname()
os.remove(dir)
local result = tide.sweep.run{ out = dir, quiet = true, over = { { "x", { 1, 2 } } }, seeds = { 1, 3 },
  run = function(setting, seed) return { y = setting.x * seed } end }
assert(result.rows[2].y.mean == 4 and math.abs(result.rows[2].y.std - 2 * 2 ^ 0.5) < 1e-9)
os.execute("rm -r " .. dir)]] },
}
