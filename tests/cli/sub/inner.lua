-- inner.lua -- a module in a folder.
return { name = table.concat({ ... }, " ") }
