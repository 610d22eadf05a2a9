-- pictures.lua -- sheets of images for the examples on images: (n, channels, h, w) in
-- [-1, 1], grey or in colour.

local tide = require "tide"
local tensor = tide.tensor

local pictures = {}

-- Images as artists take them, from 0 to 1.
function pictures.as_images(x) return ((x:detach() + 1) * 0.5):clamp(0, 1) end

-- Images as a sheet on axes; o as for ax:images.
function pictures.sheet(ax, x, o)
  o.images = pictures.as_images(x)
  if x:size(2) ~= 3 then o.cmap, o.vmin, o.vmax = "grey_r", 0, 1 end
  return ax:images(o)
end

-- Sheets side by side, each {title, images}.
function pictures.grids(list, o)
  o = tide.options("pictures.grids", o, { columns = 10, size = 26, per_row = 3 })
  local rows = (#list + o.per_row - 1) // o.per_row
  local high = (list[1][2]:size(1) + o.columns - 1) // o.columns
  local fig = tide.plot.figure { cols = math.min(o.per_row, #list), rows = rows,
    size = { (o.columns * o.size + 20) * math.min(o.per_row, #list), (0.8 * high * o.size + 36) * rows } }
  for i, entry in ipairs(list) do
    local ax = fig:axes { row = (i - 1) // o.per_row + 1, col = (i - 1) % o.per_row + 1, title = entry[1] }
    pictures.sheet(ax, entry[2], { columns = o.columns, gap = 1 })
  end
  return fig
end

-- Rows of equally many images, each {name, images}.
function pictures.rows(list, o)
  o = tide.options("pictures.rows", o, { "title", size = 44 })
  local n, parts, names = list[1][2]:size(1), {}, {}
  for i, entry in ipairs(list) do names[i], parts[i] = entry[1], entry[2] end
  local fig = tide.plot.figure { size = { n * o.size + 120, #list * (o.size + 2) + (o.title and 40 or 20) } }
  pictures.sheet(fig:axes { title = o.title }, tensor.cat(parts), { columns = n, gap = 2, rows = names })
  return fig
end

return pictures
