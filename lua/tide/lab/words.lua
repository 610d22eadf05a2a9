-- words.lua -- what the lab says in plain sentences: what the map shows, what the latents
-- did, and where the loss fails. Every number in them is one the model computed.

local M = {}

local LOSSES = {
  align = "the alignment loss L(y)",
  likelihood = "the loss weighted by t / (1 - t)",
  excess = "the excess loss",
}

-- The loss that values are of: before there is a second flow, the excess is not known.
local function loss_of(m)
  return m.o.loss == "excess" and not m.critic and "align" or m.o.loss
end

-- Titles of the maps.
M.maps = {
  nll = function() return "negative log-likelihood" end,
  loss = function(m)
    return loss_of(m) == "align" and "alignment loss L(y)"
      or m.o.loss == "likelihood" and "likelihood-weighted loss" or "excess loss"
  end,
  align = function() return "alignment loss L(y)" end,
  C = function() return "C(y)" end,
  bound = function() return "C - L" end,
  log_p = function() return "log p of the flow" end,
  residual = function(_, t) return ("residual R(y, t) at t = %.2f"):format(t) end,
}

-- Share of the cells of a map where C - L is above log p of the field.
local function violations(m)
  local bound, log_p = m:known_map "bound", m:known_map "log_p"
  if not bound or not log_p or bound.n ~= log_p.n then return nil end
  return bound.z:gt(log_p.z):to("f32"):mean():item()
end

---- what the map shows ----

local about = {}

function about.nll()
  return "Dark is where data are likely. This is what one wants to be small; to know it, one " ..
    "needs the density."
end

function about.loss(m)
  if m.o.loss == "excess" then
    if not m.critic then
      return "The excess is this loss minus that of a second flow, fitted to the latents: the map " ..
        "shows it from the first step on."
    end
    return "The alignment loss minus that of a second flow, fitted to the latents as they are now: " ..
      "flat when both have the same distribution."
  elseif m.o.loss == "likelihood" then
    return "The residual weighted by t / (1 - t): with an exact field and no cut it is the " ..
      "NLL plus a constant."
  end
  return "Dark is where the frozen field agrees with the straight paths from noise to y. No " ..
    "density is needed, and its valleys lie near the data."
end

function about.align() return about.loss { o = { loss = "align" } } end

function about.C()
  return "C(y) is minus the divergence of the field, averaged over the paths that end at y: " ..
    "how much the field contracts there."
end

function about.bound(m)
  local share = violations(m)
  local first = "The paper calls C - L a lower bound on log p. "
  if not share then return first .. "It is not one." end
  return first .. ("Here it lies above log p in %.0f %% of the picture."):format(100 * share)
end

function about.log_p(m)
  return m.o.field == "exact" and "log p of the exact field is log p of the target: what C - L is " ..
    "said to stay below." or "log p of the trained flow, by the exact divergence along its ODE."
end

function about.residual(_, t)
  if t < 0.1 then
    return "Near t = 0 all paths look alike: R is the squared distance to the mean of the data, " ..
      "and pulls latents to the centre."
  elseif t > 0.9 then
    return "Near t = 1 the field knows where a path ends: R tells points of the data from others, " ..
      "but only close to them."
  end
  return "One time of the loss alone: early times see the whole of the data, late ones its details."
end

---- what the latents did ----

local function spread_text(r)
  return r.spread and (" Within a mode they keep %.0f %% of the spread."):format(100 * r.spread)
    or (" Their distance to data (sliced W2) is %.2f."):format(r.distance)
end

local function story(m, r)
  local numbers = ("Latents: L = %.2f, NLL = %.2f. True data: %.2f and %.2f.")
    :format(r.align, r.nll, r.floor, r.data_nll)
  if r.step == 0 then
    return numbers, "The latents start as noise. Space lets them go down the loss; a latent can be " ..
      "dragged."
  end
  local below = r.align < r.floor * 0.97
  if below and r.nll > r.data_nll + 1 then
    return numbers, "Less loss than true data have, yet less likely than data: a small loss does not mean " ..
      "that latents are data." .. spread_text(r)
  elseif below and r.spread and r.spread > 0.9 then
    return numbers, "Less loss than true data have already: what the loss wants is not what data are." ..
      spread_text(r)
  elseif below then
    return numbers, "Less loss than true data have: they collapse onto points that the loss likes " ..
      "best." .. spread_text(r)
  elseif r.align > r.floor * 1.15 then
    return numbers, "True data do not have loss 0 either: the field is an average over paths. " ..
      "The latents are still on their way."
  end
  return numbers, "About the loss of true data." .. spread_text(r)
end

local function point_text(p, loss)
  return ("The point: %s is %.2f, NLL %.2f. Black: the field on its path; orange: the straight " ..
    "velocity; the alignment loss is the mean square of their difference."):format(loss, p.loss, p.nll)
end

-- Up to three lines.
function M.of(m, kind, t, numbers, probe, note)
  local list = { about[kind](m, t) }
  local first, second = story(m, numbers)
  list[2] = first .. " " .. second
  list[3] = note or probe and point_text(probe, LOSSES[loss_of(m)]) or nil
  return list
end

return M
