-- bars.lua -- a set of images for tests: require("tests.bars")(dir) writes 12 x 12 pixels in three
-- classes, a bar at the left, in the middle, at the right, of random brightness, with noise, in IDX
-- files as those of MNIST.
local tide = require "tide"
local tensor = tide.tensor

return function(dir)
  tide.seed(5)
  for stem, n in pairs { train = 300, t10k = 90 } do
    local labels = tensor.randint(0, 2, { n })
    local columns = tensor.arange(0, 11):reshape(1, 1, 12)
    local bar = ((columns / 4):floor() - labels:to("f32"):reshape(-1, 1, 1)):eq(0):to("f32")
    local x = bar * (tensor.rand(n, 1, 1) * 0.6 + 0.4) + tensor.rand(n, 12, 12) * 0.1
    tide.data.save(("%s/%s-images-idx3-ubyte.gz"):format(dir, stem), (x:clamp(0, 1) * 255):to("u8"))
    tide.data.save(("%s/%s-labels-idx1-ubyte.gz"):format(dir, stem), labels:to("u8"))
  end
end
