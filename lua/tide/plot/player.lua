-- player.lua -- plot.player: a run that a class drives: play, pause, step, phase, slow, again.
--
-- A player works without a window, too: run:run(n). What a person does sets wishes; one
-- loop (serve) fulfils them, inside a job where a person drives it, else in the call. Every
-- step draws from the player's own random stream, so a run is the same however it is driven.

local tide = require "tide"
local grab = require "tide.plot.grab"
local event = require "tide.plot.event"

local Player = {}
Player.__index = Player
Player.__name = "tide.plot.Player"

local SHOW = 0.04                  -- seconds between updates of the count on the screen
local SLOW = 1.25                  -- seconds for each phase in slow motion
local KEEP, MEMORY = 500, 256      -- frames, and MB of data
local EVENTS = { "play", "pause", "reset", "step", "seek" }

local function fail(text) tide.raise("player: " .. text) end

local function check_function(name, f, needed)
  if f == nil and not needed then return end
  if not tide.callable(f) then fail(("%s must be a function, not %s"):format(name, tostring(f))) end
end

local function check_whole(name, n, least) return tide.count("player", name, n, least) end

local function read_record(r)
  if r == nil or r == false then return nil end
  r = tide.options("player: record", r == true and {} or r, { every = 1, keep = KEEP, memory = MEMORY })
  check_whole("record.every", r.every, 1)
  check_whole("record.keep", r.keep, 4)
  if type(r.memory) ~= "number" or not (r.memory > 0) then fail "record.memory is a number of MB" end
  return r
end

local function read_phases(phases)
  if phases == nil then return nil end
  if type(phases) ~= "table" or #phases == 0 then fail "phases is a list of names" end
  for _, name in ipairs(phases) do
    if type(name) ~= "string" then fail "phases is a list of names" end
  end
  return table.move(phases, 1, #phases, 1, {})
end

-- The values that reset and step get: those of the figure's controls.
local function values_of(run)
  local stage = run.fig and event.stage(run.fig)
  return stage and stage.controls or run.nothing
end

---- what is seen of it ----

local function show(run, now)
  if not run.serial then return end
  local clock = tide.clock()
  if not now and clock < run.due then return end
  run.due = clock + SHOW
  grab.set(run.fig, run.serial, { playing = run.playing, slow = run.slow, step = run.steps,
    phase = (run.phase or 0) - 1, note = run.caption or "", over = run.over })
end

local function draw(run)
  if run.draw_function then run.draw_function(values_of(run), run) end
end

-- Is the step that is being done one to be kept?
local function is_kept(run) return run.record and (run.steps + 1) % run.record.every == 0 end

local function wants_drawing(run)
  return run.fig and (event.stage(run.fig).always or run.fig:due())
end

---- one step ----

local function set_always(run, on)
  if run.fig then event.stage(run.fig).always = on end
end

local function finish(run)
  run.co, run.phase = nil, nil
  run.steps = run.steps + 1
  if not run.playing or wants_drawing(run) then draw(run) end
  set_always(run, nil)
  if run.record and run.fig and run.steps % run.record.every == 0 then grab.frame(run.fig, run.steps) end
  run.calls:call_here("step", run)
end

-- Goes on with the step to its end, or only to the next note.
local function advance(run, by_phase)
  if not run.co then
    if is_kept(run) then set_always(run, true) end
    run.co = coroutine.create(function() run.step_function(values_of(run), run) end)
  end
  run.by_phase = by_phase
  local co = run.co
  run.stream:run(function()
    local ok, err = coroutine.resume(co)
    if ok then return end
    run.co = nil
    error(type(err) == "string" and err .. "\n" .. debug.traceback(co) or err, 0)
  end)
  if coroutine.status(co) == "dead" then
    finish(run)
    return true
  end
  show(run, true)
  return false
end

local function is_over(run)
  local stop = run.stop
  if stop == nil then return false end
  if math.type(stop) == "integer" then return run.steps >= stop end
  return stop(run) and true or false
end

local function do_reset(run)
  run.wish_reset, run.co, run.phase, run.caption = false, nil, nil, nil
  run.steps, run.over = 0, false
  run.stream:seed(run.seed)
  if run.record and run.fig then grab.forget(run.fig) end
  run.stream:run(function() run.reset_function(values_of(run), run) end)
  draw(run)
  if run.record and run.fig then grab.frame(run.fig, 0) end
  show(run, true)
  run.calls:call_here("reset", run)
end

---- wishes ----

local function pause(run)
  if not run.playing then return end
  run.playing = false
  draw(run)
  show(run, true)
  run.calls:call_here("pause", run)
end

-- A window that was there and is closed ends the playing.
local function is_left(run)
  if not run.fig then return false end
  local open = run.fig.open
  run.seen = run.seen or open
  return run.seen and not open
end

-- The next thing that is wished for; false: nothing.
local function serve_once(run)
  if run.wish_reset then
    do_reset(run)
  elseif run.wish_phases > 0 then
    run.wish_phases = run.wish_phases - 1
    advance(run, true)
  elseif run.wish_steps > 0 then
    if advance(run, false) then run.wish_steps = run.wish_steps - 1 end
  elseif run.playing then
    run.over = not run.co and is_over(run)
    if run.over or is_left(run) then
      pause(run)
    elseif run.slow then
      advance(run, run.phases ~= nil)
      if run.playing then require("tide.job").nap(run.rest) end
    else
      advance(run, false)
    end
  else
    return false
  end
  show(run)
  return true
end

local function serve(run)
  local failed <close> = setmetatable({}, { __close = function(_, err)
    run.serving = false
    set_always(run, nil)
    if not err then return end
    run.playing, run.co, run.wish_steps, run.wish_phases, run.wish_reset = false, nil, 0, 0, false
    pcall(show, run, true)
  end })
  run.serving = true
  while serve_once(run) do tide.yield() end
  show(run, true)
end

-- What a person wishes is done by a job, which ends when there is nothing left.
local function in_job(run)
  if run.serving or (run.job and run.job.state == "running") then return end
  run.job = tide.spawn(function() serve(run) end, { name = run.name })
end

-- What a script wishes is done when the call returns.
local function at_once(run)
  if run.job and (run.job.state == "running" or run.job.state == "paused") then
    run.job:resume():wait()
  elseif not run.serving then
    serve(run)
  end
end

---- what a person and a script call ----

local function make(o)
  o = tide.options("player", o, { "fig", "reset", "step", "draw", "phases", "stop", "record", seed = 1,
    slow = SLOW, name = "player" })
  check_function("reset", o.reset, true)
  check_function("step", o.step, true)
  check_function("draw", o.draw)
  if o.stop ~= nil and math.type(o.stop) ~= "integer" then check_function("stop", o.stop) end
  check_whole("seed", o.seed, 0)
  if type(o.slow) ~= "number" or not (o.slow > 0 and o.slow <= 60) then
    fail "slow is the number of seconds for a phase, at most 60"
  end
  return setmetatable({ fig = o.fig, reset_function = o.reset, step_function = o.step, draw_function = o.draw,
    phases = read_phases(o.phases), stop = o.stop, record = read_record(o.record), seed = o.seed,
    rest = o.slow, name = o.name, steps = 0, playing = false, slow = false, over = false, due = 0,
    wish_steps = 0, wish_phases = 0, wish_reset = false, nothing = {}, serving = false,
    stream = tide.generator(o.seed), calls = event.callbacks("player", EVENTS) }, Player)
end

-- plot.player{...}: makes it, and does its reset.
function Player.new(o)
  local run = make(o)
  if run.fig then
    local stage = event.stage(run.fig)
    if stage.player then fail "this figure has a player already" end
    stage.player = run
    run.serial = grab.add(run.fig, "player", { phased = run.phases ~= nil, choices = run.phases or {},
      name = "player" })
    event.attach(run.fig, run.serial, run)
    if run.record then grab.record(run.fig, run.record.keep, run.record.memory * 1e6) end
    local function again() run:_wish "reset" end
    if stage.controls then stage.controls:_on_reset(again) else stage.on_controls = again end
  end
  do_reset(run)
  return run
end

function Player:play()
  if self.playing then return self end
  self.playing, self.seen = true, false
  if self.fig then self:follow() end
  show(self, true)
  self.calls:call_here("play", self)
  in_job(self)
  return self
end

function Player:pause()
  pause(self)
  return self
end

-- One step, or n: the rest of a step that was begun by phase counts as one.
function Player:step(n)
  if n ~= nil then check_whole("step(n): n", n, 1) end
  self.playing = false
  self.wish_steps = self.wish_steps + (n or 1)
  at_once(self)
  return self
end

-- To the next note of the step.
function Player:next_phase()
  self.playing = false
  self.wish_phases = self.wish_phases + 1
  at_once(self)
  return self
end

-- From the beginning; with the same seed unless another is given.
function Player:reset(seed)
  if seed ~= nil then
    self.seed = check_whole("reset(seed): seed", seed, 0)
  end
  self.wish_reset = true
  at_once(self)
  return self
end

-- n steps, or until it stops, with a bar.
function Player:run(n)
  if n ~= nil then check_whole("run(n): n", n, 1) end
  if n == nil and self.stop == nil then fail "run() without a number needs a stop" end
  if self.co and coroutine.status(self.co) ~= "suspended" then
    fail "a step cannot run the player that runs it"
  end
  pause(self)
  local bar <close> = tide.progress { label = self.name,
    total = n or (math.type(self.stop) == "integer" and self.stop - self.steps) or nil }
  local from = self.steps
  while (n == nil or self.steps - from < n) and not is_over(self) do
    advance(self, false)
    show(self)
    bar:update(self.steps - from)
  end
  self.over = is_over(self)
  draw(self)
  show(self, true)
  return self
end

-- In slow motion each phase lasts as long as option `slow` says.
function Player:slow_motion(on)
  self.slow = on ~= false
  show(self, true)
  return self
end

-- What the run is doing: one of its phases, and a text for people. In slow motion, and
-- when it goes by phase, the step stops here.
function Player:note(phase, text)
  if phase ~= nil then
    local at
    for i, name in ipairs(self.phases or {}) do
      if name == phase then at = i end
    end
    if not at then
      local near = self.phases and type(phase) == "string" and tide.nearest(phase, self.phases)
      fail(("note: there is no phase '%s'%s"):format(tostring(phase), self.phases
        and (near and ("; did you mean '%s'?"):format(near)
          or " (phases: " .. table.concat(self.phases, ", ") .. ")")
        or "; give phases = { ... } to plot.player"))
    end
    self.phase = at
  end
  self.caption = text
  if self.by_phase and self.co == coroutine.running() then
    draw(self)
    coroutine.yield()
  end
end

---- recorded steps ----

-- The steps that are kept.
function Player:frames()
  if not (self.fig and self.record) then return {} end
  return (grab.frames(self.fig))
end

-- Shows what the axes showed at this step, or the last one kept before it.
function Player:seek(step)
  if not (self.fig and self.record) then fail "seek: nothing was recorded; give record = { every = 1 }" end
  if type(step) ~= "number" or step ~= step then fail "seek: a step is a number" end
  grab.seek(self.fig, step)
  return self
end

-- Shows what comes.
function Player:follow()
  if self.fig and self.record then grab.seek(self.fig, math.huge) end
  return self
end

-- The step that is seen: that of the scrub bar, or the newest.
function Player:shown()
  local step = self.fig and self.record and select(3, grab.frames(self.fig)) or math.huge
  return step == math.huge and self.steps or step
end

---- what a person does ----

function Player:on(what, f)
  self.calls:set(what, f)
  return self
end

-- As a button does: what is wished for is done soon, by a job.
function Player:_wish(what)
  if what == "play" then
    if self.playing then self.playing = false show(self, true) draw(self) else return self:play() end
    self.calls:call_here("pause", self)
    return
  elseif what == "step" then
    self.playing, self.wish_steps = false, self.wish_steps + 1
  elseif what == "phase" then
    self.playing, self.wish_phases = false, self.wish_phases + 1
  elseif what == "reset" then
    self.wish_reset = true
  elseif what == "slow" then
    self:slow_motion(not self.slow)
    return
  end
  if what == "step" or what == "phase" then self:follow() end
  in_job(self)
end

function Player:_news(what, _, step)
  if what == "seek" then
    self.calls:call_here("seek", self, step)
  elseif what == "play" or what == "step" or what == "phase" or what == "reset" or what == "slow" then
    self:_wish(what)
  end
end

function Player:__tostring()
  return ("player: %s, step %d, seed %d"):format(self.playing and "playing" or self.over and "over" or
    "paused", self.steps, self.seed)
end

return Player
