-- speed.lua -- the page about speed, ?speed.
return {
["topic.speed"] = { title = "Speed", text = [[
flow.train, flow.align, flow.sample, flow.log_likelihood and the examples record
their steps and replay them; nothing is to be done. A loop of your own does the
same with

  step = tide.capture(function(x) ... opt:step() return loss end)
  for i = 1, 1000 do loss = step(x) end
  print(step)                   what a replay consists of, and its memory

The same numbers come out, without Lua, graphs or new memory (?tide.capture).

What costs most, and what helps:

  a time for each point         most products of a velocity net depend on t
                                alone: with groups= points share times, with
                                draws=flow.draws(k, dim) all cells do
  item() or print in a step     keep it from being recorded: read what it returns
  f64                           twice the time and memory of f32
  garbage between large tensors tide.scope(f), x:free(), local x <close>
  threads                       --threads N, tide.set_threads(n); results do not
                                depend on them

  bench { a = f, b = g }        times of functions that take turns
  profile(f)                    time of each op
  make bench                    in the sources: every kind of work beside
                                PyTorch, JAX and scikit-learn, growth, memory;
                                `make docs` makes the page speed.md of it
]] },
}
