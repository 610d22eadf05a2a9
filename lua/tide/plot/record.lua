-- record.lua -- fig:record: a moving picture, one frame for each so many calls of fig:due().
--
-- At the steps that count due() is true whether there is a window or not, so the script
-- brings the picture up to date, and the file is the same wherever it runs.

local tide = require "tide"
local event = require "tide.plot.event"

local Record = {}
Record.__index = Record
Record.__name = "tide.plot.Record"

local function fail(text) tide.raise("record: " .. text) end

---- where frames go ----

local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function has_program(name)
  for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
    local f = io.open(folder .. "/" .. name, "rb")
    if f then
      f:close()
      return true
    end
  end
  return false
end

-- An MP4 through ffmpeg: frames go down a pipe; the file takes its name at the end.
local function open_mp4(path, o)
  if not has_program "ffmpeg" then
    fail("MP4 needs the program ffmpeg, which is not installed (Debian: apt install ffmpeg); " ..
      "record to a .gif instead")
  end
  local beside = path:gsub("%.[mM][pP]4$", "") .. ".part.mp4"
  local pipe, size
  local out = {}
  function out:frame(fig)
    local rgb, w, h = fig:pixels { scale = o.scale, widgets = o.widgets }
    if not pipe then
      size = { w, h }
      pipe = assert(io.popen(("ffmpeg -loglevel error -y -f rawvideo -pix_fmt rgb24 -s %dx%d -r %g " ..
        "-i - -vf 'pad=ceil(iw/2)*2:ceil(ih/2)*2' -pix_fmt yuv420p -movflags +faststart %s")
        :format(w, h, o.fps, quote(beside)), "w"))
    elseif w ~= size[1] or h ~= size[2] then
      fail(("the figure was %d x %d pixels and is %d x %d now"):format(size[1], size[2], w, h))
    end
    if not pipe:write(rgb) then
      pipe:close()
      os.remove(beside)
      pipe = nil
      fail "ffmpeg ended before the last frame; what it said stands above"
    end
  end
  function out:close()
    if not pipe then return end
    local ok = pipe:close()
    pipe = nil
    if ok then ok = os.rename(beside, path) end
    if not ok then
      os.remove(beside)
      fail(("ffmpeg could not write %s"):format(path))
    end
  end
  return out
end

---- recordings ----

local function check(o)
  if type(o.path) ~= "string" then fail "give path = \"run.gif\" or \"run.mp4\"" end
  if math.type(o.every) ~= "integer" or o.every < 1 then fail "every is a whole number from 1 on" end
  if type(o.fps) ~= "number" or not (o.fps >= 0.01 and o.fps <= 60) then
    fail "fps is a number from 0.01 to 60"
  end
end

-- fig:record{path =, every =, fps =}
function Record.new(fig, o)
  o = tide.options("record", o, { "path", every = 1, fps = 20, scale = 2, widgets = false })
  check(o)
  local stage = event.stage(fig)
  if stage.recording then fail "this figure is being recorded; close that recording first" end
  local kind = o.path:lower():match "%.(%w+)$"
  if kind ~= "gif" and kind ~= "mp4" then
    fail(("'%s' ends neither in .gif nor in .mp4"):format(o.path))
  end
  local ok, why = require "tide.place"(o.path)
  if not ok then fail(("%s cannot be written: %s"):format(o.path, why)) end
  local r = setmetatable({ fig = fig, every = o.every, calls = 0, count = 0, path = o.path }, Record)
  if kind == "gif" then
    if o.widgets then fail "widgets are for .mp4" end
    r.out = fig:gif(o.path, { fps = math.min(o.fps, 50), scale = o.scale })
  else
    r.out = open_mp4(o.path, o)
  end
  stage.recording = r
  return r
end

-- Called by fig:due(): the frame of the call before is complete now. True: this one counts.
function Record:_due()
  self:_take()
  self.calls = self.calls + 1
  self.wanted = (self.calls - 1) % self.every == 0
  return self.wanted
end

function Record:_take()
  if not self.wanted then return end
  self.wanted = false
  self.out:frame(self.fig)
  self.count = self.count + 1
end

-- A frame of what the figure shows now, whatever step it is.
function Record:frame()
  if not self.out then fail "frame() after close()" end
  self.wanted = true
  self:_take()
  return self
end

-- Writes the file.
function Record:close()
  if not self.out then return self end
  local out = self.out
  self:_take()
  self.out = nil
  event.stage(self.fig).recording = nil
  out:close()
  return self
end

function Record:__close() self:close() end

function Record:__tostring()
  return ("recording to %s, %d frame%s"):format(self.path, self.count, self.count == 1 and "" or "s")
end

return Record
