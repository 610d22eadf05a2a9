-- presets.lua -- options whose values depend on --preset, for the examples on images. A list
-- of them has a row for each: { name, laptop, paper, test, what it is, least }; least is 1 for
-- whole numbers where the row does not say otherwise.

local presets = {}

local COLUMN = { laptop = 2, paper = 3, test = 4 }

-- The option --preset itself; paper says what that one is.
function presets.option(paper)
  return { "preset", "laptop", ("laptop, paper (%s, for a GPU) or test (seconds): sets what is in " ..
    "brackets below"):format(paper), one_of = { laptop = true, paper = true, test = true } }
end

-- Adds the rows to the options of spec; one_of[name] is the set of values of an option.
function presets.add(spec, list, one_of)
  for _, row in ipairs(list) do
    local name, value = row[1], row[2]
    local whole = math.type(value) == "integer"
    table.insert(spec.options, { name, nil, ("%s [%s, %s, %s]"):format(row[5], row[2], row[3], row[4]),
      type = type(value), whole = whole, least = row[6] or whole and 1 or nil, one_of = one_of[name] })
  end
end

-- Gives the options that were not given what the preset says.
function presets.fill(o, list)
  for _, row in ipairs(list) do
    if o[row[1]] == nil then o[row[1]] = row[COLUMN[o.preset]] end
  end
end

return presets
