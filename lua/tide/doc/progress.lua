-- progress.lua -- documentation of tide.progress.
local function method(sig, text, args, returns, example)
  return { sig = sig, text = text, args = args, returns = returns or "nothing", object = true,
    example = example }
end

return {
["tide.progress"] = {
  sig = "tide.progress{label=, total=, unit=, every=} or tide.progress(n [, options])",
  text = "Shows how far a loop is, its rate, the time that is left and current figures. On a " ..
    "terminal one line is rewritten below all that is printed, and cut to the terminal's width; " ..
    "bars inside bars share it. Elsewhere a plain line comes every so many seconds. A loop that " ..
    "ends within a second shows nothing. Lines go to stderr. In a job nothing is drawn: " ..
    "job.progress and the status line of the prompt have it, and update() is where the job makes " ..
    "way for others. tide.progress.enabled = false, or TIDE_PROGRESS=0 in the environment, " ..
    "switches all bars off.",
  args = { { "options", "table|integer", "label (string), total (number; default: unknown), unit " ..
      '(string, default "step"; false: percent only), every (seconds between plain lines, default ' ..
      "10), step (where it starts, default 0). A number n makes an iterator instead: for i in " ..
      "tide.progress(n, {label=}) do ... end" },
    { "more", "table", "options beside a number", optional = true } },
  returns = "bar: close it, or keep it in a <close> variable; after a number, the four values " ..
    "that a for loop wants",
  errors = "An unknown option; a total that is no number.",
  example = [[
local sum = 0
for i in tide.progress(10, { label = "sum" }) do sum = sum + i end
assert(sum == 55)
do
  local bar <close> = tide.progress { label = "flow", total = 20 }
  for step = 1, 20 do bar:update(step, { loss = 1 / step }) end
  assert(bar:fraction() == 1)
end]] },
["bar:update"] = method("bar:update([step] [, figures])",
  "Notes how far the loop is and draws when it is time; a fraction of a microsecond otherwise.",
  { { "step", "number", "default: one more than before", optional = true },
    { "figures", "table", "numbers, strings or tensors of one element by name; a tensor is read " ..
      "only when the line is drawn", optional = true } }, nil, [[
local bar <close> = tide.progress { total = 3 }
bar:update()
bar:update(2, { loss = tensor.ones() })
assert(bar.step == 2)]]),
["bar:fraction"] = method("bar:fraction()", "How much is done, from 0 to 1; 0 without a total.", nil,
  "number", [[
local bar <close> = tide.progress { total = 4 }
bar:update(1)
assert(bar:fraction() == 0.25)]]),
["bar:status"] = method("bar:status()",
  "All that the line shows: label, step, total, unit, fraction, rate (steps per second over the " ..
  "last intervals, without pauses), left and seconds (s), figures (numbers by name), text.", nil,
  "table", [[
local bar <close> = tide.progress { total = 4 }
bar:update(2, { loss = tensor.full({}, 0.5) })
local s = bar:status()
assert(s.fraction == 0.5 and s.figures.loss == 0.5)]]),
["bar:close"] = method("bar:close()",
  "Ends the bar: a line that was drawn gives way to one with the total time.", nil, nil, [[
local bar = tide.progress { total = 4 }
bar:close()
bar:close()]]),
}
