-- lab.lua -- the method in one window: what `tide lab` opens. With --save a picture.

os.exit(require("tide.lab").main(arg), true)
