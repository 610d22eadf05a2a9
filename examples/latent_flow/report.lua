-- report.lua -- what latent_flow.lua prints: its figures in tables.

local script = require "tide.script"
local edit = require "latent_flow.edit"

local function samples(s, o)
  local rows = {}
  for _, entry in ipairs {
    { "latent flow, with class", "latent" }, { "  guidance " .. o.guidance, "guided" },
    { "  without class", "unconditional" }, { "flow on pixels, with class", "pixel" },
    { "autoencoder, test images", "autoencoder" }, { "real images", "real" } } do
    local r = s[entry[2]]
    if r then
      rows[#rows + 1] = { entry[1], r.frechet, r.precision, r.recall, r.class_score, r.accuracy, r.nfe,
                          r.steps, r.train_seconds }
    end
  end
  script.table({ "", "Frechet", "precision", "recall", "classes", "accuracy", "NFE", "steps",
                 "processor s" }, rows)
  print("\nFeatures are those of a small classifier trained on this data set: not to be compared with\n" ..
    "figures in the features of ImageNet networks. Processor seconds of the latent flow include\n" ..
    "those of the autoencoder; NFE counts a guided call as two.")
end

local function samplers(s)
  local rows = {}
  for i, r in ipairs(s.samplers) do
    rows[i] = { r.solver, r.nfe, r.apart, r.frechet, r.accuracy, r.seconds }
  end
  script.table({ "sampler", "NFE", "from dopri5", "Frechet", "accuracy", "processor s" }, rows)
end

local function inpainting(s)
  local rows = {}
  for i, kind in ipairs(edit.KINDS) do
    local r = s.inpaint[kind]
    rows[i] = { kind, r.error, r.mean_fill, r.mean_image, r.autoencoder, r.outside, r.frechet, r.accuracy }
  end
  script.table({ "hole", "r.m.s. error", "mean fill", "mean image", "autoencoder", "change outside",
                 "Frechet", "accuracy" }, rows)
end

local function map(s)
  local m = s.map
  print(("images from maps: %.1f %% of the pixels have the class they were told (autoencoder of the\n" ..
    "same image %.1f %%, another image %.1f %%), Frechet %.2f, class of the image the map is of: %.1f %%")
    :format(100 * m.agreement, 100 * m.autoencoder, 100 * m.others, m.frechet, 100 * m.accuracy))
end

local function bound(s)
  local b = s.bound
  print(("sliced W2 of decoded samples to data %.3f (autoencoder %.3f, data to data %.3f); bound on W2\n" ..
    "%.3g, from error of the autoencoder %.2f, decoder %.1f, integral of the field's norm %.1f, loss %.1f")
    :format(b.sliced, b.sliced_again, b.sliced_data, b.bound, b.error, b.decoder, b.growth, b.loss))
end

return function(s, o)
  print(("\n%s: autoencoder %.2f dB, latents %s x %.3f; the classifier is right on %.1f %% of test images.\n")
    :format(o.data, s.autoencoder_psnr, s.latent_shape, s.latent_scale, 100 * s.real.accuracy))
  samples(s, o)
  for _, entry in ipairs { { "samplers", samplers }, { "inpaint", inpainting }, { "map", map },
                          { "bound", bound } } do
    if s[entry[1]] then
      print ""
      entry[2](s)
    end
  end
end
