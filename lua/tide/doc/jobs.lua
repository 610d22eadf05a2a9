-- jobs.lua -- documentation of jobs, and of what Ctrl-C does.
local function method(sig, text, args, returns, example, errors)
  return { sig = sig, text = text, args = args, returns = returns or "the job", object = true,
    example = example, errors = errors }
end

local timeout = { "timeout", "number", "seconds; default: no limit", optional = true }

return {
["tide.spawn"] = {
  text = "Runs f as a job: in slices of about 10 ms while the prompt waits for a key, so that one " ..
    "types on, and while a script waits for jobs. f gets the job. A slice ends at the safe points " ..
    "tide.yield() and bar:update(), and by force a little later in code that has none. Several jobs " ..
    "share the time. Each has its own random numbers, its own tide.scope and its own gradient mode. " ..
    "See also ?jobs.",
  args = { { "f", "function", "called as f(job)" },
    { "options", "table", "name (string); seed (integer; default: drawn from the current stream, " ..
      "so that tide.seed repeats jobs too); slice (seconds, default 0.01)", optional = true } },
  returns = "job",
  errors = "An error in f is shown once, with its traceback, unless someone waits for the job; " ..
    "job:wait() raises it.",
  example = [[
local job = tide.spawn(function()
  local sum = 0
  for i = 1, 100 do
    sum = sum + i
    tide.yield()
  end
  return sum
end, { name = "sum" })
assert(job.state == "running")
assert(job:wait() == 5050 and job.state == "done")]] },
["tide.jobs"] = {
  text = "The jobs that are not over, and the last ten that are: a list that shows itself as a " ..
    "table of number, name, state, seconds and progress.",
  returns = "table of jobs",
  example = [[
local job = tide.spawn(function() end)
local list = tide.jobs()
assert(list[#list] == job)
job:wait()]] },
["tide.yield"] = {
  text = "In a job: a safe point, where it makes way for others when its slice is used up. " ..
    "Elsewhere: gives the next job a slice.", returns = "nothing",
  example = [[
local ready = false
local job = tide.spawn(function() ready = true end)
while not ready do tide.yield() end
job:wait()]] },
["tide.wait_all"] = {
  text = "Runs all jobs to their ends, but for those that are paused. A script does so when it ends.",
  args = { timeout }, returns = "boolean: is each of them done, without error?",
  errors = "When jobs wait for each other or for one that is paused; inside a job.",
  example = [[
local n = 0
for _ = 1, 3 do tide.spawn(function() n = n + 1 end) end
assert(tide.wait_all() and n == 3)]] },
["job:wait"] = method("job:wait([timeout])",
  "Waits until the job is over; the other jobs go on meanwhile. Ctrl-C ends the wait, not the job. " ..
  "In a job, only that job waits.", { timeout },
  'what f returned; nil and "timeout" when it takes longer', [[
local job = tide.spawn(function() return 1, 2 end)
local a, b = job:wait()
assert(a + b == 3)
local bad = tide.spawn(function() error("no luck") end)
assert(not pcall(bad.wait, bad))]],
  "The error of f; a job that was cancelled, or is paused; waiting for oneself."),
["job:pause"] = method("job:pause()", "The job gets no slices until job:resume().", nil, nil, [[
local job = tide.spawn(function() end):pause()
tide.yield()
assert(job.state == "paused")
assert(job:resume():wait() == nil)]]),
["job:resume"] = method("job:resume()", "Lets a paused job go on.", nil, nil, [[
local job = tide.spawn(function() return 1 end):pause()
assert(job:resume().state == "running" and job:wait() == 1)]]),
["job:cancel"] = method("job:cancel()",
  'Raises the error "cancelled!" where the job is, so that <close> variables and pcall put things ' ..
  "back, and gives it up to a second for that. A job that catches the error and goes on gets it " ..
  "again, and after three times is closed without being asked.", nil, nil, [[
local closed = false
local job = tide.spawn(function()
  local _ <close> = setmetatable({}, { __close = function() closed = true end })
  while true do tide.yield() end
end)
job:wait(0.02)
assert(job:cancel().state == "cancelled" and closed)]]),
["job.state"] = method("job.state, job.number, job.name, job.seconds, job.progress, job.result, job.error",
  'What there is to know of a job. state: "running", "paused", "cancelling", "done", "failed" or ' ..
  '"cancelled". seconds: time it has had. progress: what bar:status() gives of its tide.progress, ' ..
  "or nil. result: the first value that f returned. error and traceback: why it failed.", nil, "fields", [[
local job = tide.spawn(function()
  for i in tide.progress(3, { label = "three" }) do tide.yield() end
  return "fine"
end)
job:wait()
assert(job.result == "fine" and job.progress.step == 3 and job.seconds >= 0)]]),

["topic.jobs"] = { title = "Jobs: experiments that run while one types", text = [[
  job = tide.spawn(function()
    flow.align(v, y, { steps = 5000 })
  end, { name = "align" })

runs at once, in slices of about 10 ms while the prompt waits for a key. What is
typed meanwhile runs at once too; a global that is changed at the prompt is seen
by the next step of the job.

  jobs()            the list: number, name, state, seconds, progress
  job:pause()       job:resume()       job:cancel()
  job:wait(10)      what the function returned; nil, "timeout" after 10 s
  job.progress      a table: step, total, rate, left, figures
  job.result        job.error          job.state

A line above the prompt shows how far the jobs are; it is taken from tide.progress,
which training, sampling, likelihoods and landscapes use. An error in a job is
shown once, with its traceback, above what is being typed.

Slices. A job makes way at safe points: tide.yield() and bar:update() of
tide.progress. Code without any is stopped between two instructions after 25 ms.
That works in coroutines of the job too, but not inside C functions that call
back, such as table.sort and string.gsub: then the job goes on until they are
done. One op on tensors is never divided, and a job that reads the terminal (io.read)
keeps it until Ctrl-C.

What belongs to a job alone: its random numbers ({seed=}, or drawn from the
stream when it is spawned: tide.seed at the prompt repeats whole jobs, and
neither what is typed nor other jobs change their numbers), open tide.scope calls,
and whether gradients are recorded. All else is shared; nothing is copied.

Statements at the prompt come first: while one runs, the jobs stand still, unless
it waits for them (job:wait, tide.wait_all, tide.yield).

At the end a script waits for its jobs, and ends with status 1 if one failed;
after an error of the script they are cancelled. os.exit waits for nothing.
Ctrl-D at the prompt asks once while jobs run, and then cancels them.

In a stock lua5.4 with tide.so there is no prompt: jobs run while the script waits
for them, and slices end at safe points only.]] },

["topic.interrupt"] = { title = "Ctrl-C", text = [[
At the prompt Ctrl-C clears the line, and touches no job. While a statement runs
it raises the error "interrupted!" there:

  a loop, a coroutine, pcall        at the next instruction; a pcall may put things
                                    back, but the error comes to the prompt
  products, decompositions, any     before the op ends; what it would have
  op that makes a tensor            returned is not made
  x:add_(y), optimizer:step()       after it: such updates are never done by half
  y:backward()                      between ops: some leaves may lack their gradient,
                                    so begin the next step with zero_grad()
  io.read, os.execute, !command     the wait ends; the command gets Ctrl-C too
  job:wait(), tide.wait_all()       the wait ends, the jobs go on

A second Ctrl-C raises the error at every instruction, for code that catches and
loses it. While a job has its slice, the first Ctrl-C is for the prompt; if the
slice does not end (table.sort with a slow function, say) the second one stops
that job.

C functions that never look up cannot be stopped: above all string.find, match
and gsub with a pattern that tries exponentially many ways. A third Ctrl-C after
two seconds says so, the next one ends the session.

A script ends at Ctrl-C as with lua: the first is an error that it may catch, the
second ends the process. SIGTERM and SIGHUP end the session: jobs are cancelled,
with time to put things back; the history is saved already.]] },
}
