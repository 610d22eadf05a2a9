-- gpu.lua -- the page about GPUs, ?gpu.
return {
["topic.gpu"] = { title = "GPUs", text = [[
A script runs on a GPU as it is:

  tide examples/toy.lua --device cuda
  tide.set_device("cuda")       new tensors, nets and draws are made there
  y = x:to("cuda")              or "cpu"; operands must be on one device
  for _, d in ipairs(tide.devices()) do print(d.name, d.description) end

Where there is none, tide.set_device says what was looked for. In the sources
`make cuda` (made with CUDA 13) builds libtide_cuda.so beside the program; it is
loaded when a device is first asked for, and machines without a GPU do not notice.

  the same numbers              random draws are the CPU's, bit for bit; results
                                do not change between runs, and differ from the
                                CPU's by rounding
  captured steps                flow.train, flow.align and tide.capture replay a
                                step as one CUDA graph; print(step) counts its
                                kernels
  tide.precision("tf32")        products of f32 by tensor cores, which round their
                                inputs to 10 bits; "strict", f32, is the default
  precision = "bf16"            of flow.train and flow.align (tide.autocast):
                                products of bf16 with sums in f32, while weights,
                                gradients and the optimiser stay f32
  item(), print, to("cpu")      wait for the GPU; a loop that reads its loss every
                                hundred steps loses nothing, and a progress bar
                                shows figures when they have come
  figures and windows           take tensors from any device; set, push and new
                                artists never wait for it: numbers enter the
                                figure at a safe point (fig:due, a step of a
                                progress bar, tide.yield, the next set, the
                                prompt), all of a call together and the newest
                                of a loop; save, render, get, limits and
                                plot.wait wait for the last
  TIDE_SYNC=1                   waits for each op, so that an error names the op
  tide.memory("cuda")           what is held there

No speed on a GPU is claimed before one has been measured: not yet measured on a
GPU. The kernels are tested on an emulation, which runs the same sources on the
host; `make gpu-check` tests and measures them on a GPU, beside PyTorch and JAX.
]] },
}
