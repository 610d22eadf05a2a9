-- bom.lua -- starts with a byte order mark.
print("bom")
