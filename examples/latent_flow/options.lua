-- options.lua -- the options of latent_flow.lua and what presets say of them.

local tide = require "tide"
local images = require "images.data"
local presets = require "images.presets"

local options = {}

local PARTS = { "pixel", "bound", "samplers", "inpaint", "map" }

-- Options by preset: name, laptop, paper (the recipe), test (seconds), what it is, least.
local BY_PRESET = {
  { "net", "unet", "dit", "dit", "of velocity: dit, unet or mlp" },
  { "width", 32, 768, 16, "of the velocity net" },
  { "depth", 1, 12, 1, "blocks of it (unet: at each size)" },
  { "heads", 4, 12, 2, "of its attention" },
  { "patch", 1, 1, 1, "latents along a token (dit)" },
  { "pixel-width", 16, 768, 16, "of the net on pixels" },
  { "steps", 800, 400000, 12, "of the latent flow" },
  { "batch", 64, 256, 8, "points in a step" },
  { "lr", 2e-3, 1e-4, 2e-3, "learning rate, which falls to 0 by a cosine" },
  { "ema", 0.995, 0.9999, 0.9, "decay of the averages of weights" },
  { "edit-steps", 250, 100000, 4, "of the flows for inpainting and maps" },
  { "ae-width", 12, 128, 4, "channels of the autoencoder at full size" },
  { "ae-blocks", "0,1,1", "2,2,2", "0,0,0", "its residual blocks at each size, from full size down" },
  { "ae-steps", 2000, 100000, 12, "of its training" },
  { "ae-batch", 16, 64, 8, "images in a step of it" },
  { "ae-lr", 5e-3, 1e-4, 5e-3, "its learning rate" },
  { "kl", 1e-3, 1e-6, 1e-3, "weight of its KL, for each pixel" },
  { "judge-steps", 2500, 10000, 60, "of the classifier in whose features images are compared" },
  { "samples", 500, 10000, 40, "that are judged", 5 },
  { "edits", 200, 10000, 20, "test images that are inpainted and mapped", 2 },
  { "solver", "heun", "dopri5", "euler", "of samples: euler, heun, dopri5 ..." },
  { "solver-steps", 10, 100, 3, "of the solver" },
  { "points", 4, 20, 2, "of the curves of the bound" },
  { "train", 60000, 1000000, 400, "at most so many images to train with", 8 },
  { "test", 10000, 1000000, 100, "at most so many test images", 5 },
  { "checkpoint", 500, 2000, 4, "steps between checkpoints; 0: none", 0 },
}
local ONE_OF = { net = { dit = true, unet = true, mlp = true },
  solver = { euler = true, midpoint = true, heun = true, rk4 = true, dopri5 = true } }

options.SPEC = {
  name = "latent_flow",
  about = "Flow matching in the latent space of an autoencoder, and what can be done with it.",
  options = {
    { "data", "fashion", images.HELP },
    presets.option "the recipe",
    { "parts", table.concat(PARTS, ","), "what is done beside the latent flow" },
    { "latent", 4, "channels of the latents", least = 1 },
    { "factor", 4, "how many pixels along a latent, a power of 2", least = 2 },
    { "guidance", 1.5, "scale of classifier-free guidance, held against 1" },
    { "pixel-steps", 0, "of the flow on pixels; 0: what the latent one's time is enough for" },
    { "cache", "runs/cache", "folder for autoencoder and classifier, trained once" },
    { "resume", false, "go on where a run into the same --out was cut off" },
    { "features", nil, "measure features of another network, and nothing else: FILE.safetensors with " ..
      "tensors data and samples, or DATA.npy,SAMPLES.npy (samples.npy of --out are the images)" },
    { "show", false, "a window on samples and losses while flows are trained" },
  },
  figures = {
    "latent.frechet", "guided.frechet", "unconditional.frechet", "pixel.frechet", "latent.precision",
    "latent.recall", "pixel.precision", "pixel.recall", "latent.accuracy", "guided.accuracy",
    "pixel.accuracy", "autoencoder_psnr",
    "inpaint.box.error", "inpaint.box.mean_image", "inpaint.half.error", "inpaint.half.mean_image",
    "inpaint.brush.error", "inpaint.brush.mean_image", "map.agreement", "map.others", "bound.sliced",
    "bound.bound",
  },
}

presets.add(options.SPEC, BY_PRESET, ONE_OF)

-- Fills in what the preset says, and takes lists apart: o.does is the set of parts.
function options.complete(o)
  presets.fill(o, BY_PRESET)
  o.does, o.blocks = {}, {}
  for name in o.parts:gmatch "[^,%s]+" do
    local known = false
    for _, p in ipairs(PARTS) do known = known or p == name end
    if not known then
      local near = tide.nearest(name, PARTS)
      error(("--parts: '%s' is none of %s%s"):format(name, table.concat(PARTS, ", "),
        near and "; did you mean " .. near .. "?" or ""), 0)
    end
    o.does[name] = true
  end
  for n in o["ae-blocks"]:gmatch "%d+" do o.blocks[#o.blocks + 1] = math.tointeger(n) end
  o.nfe_steps = o["solver-steps"]
end

return options
