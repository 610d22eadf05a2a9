-- ok.lua -- a script that returns values.
print("fine")
return 1, 2, false
