/* emulation.h -- what the parts of the emulation share. */
#ifndef TD_EMULATION_H
#define TD_EMULATION_H
#include "cuda_runtime.h"

bool emu_ours(const void *p, size_t n);       /* are these bytes within one block of the device? */
void emu_open();                              /* lets the host at device memory, and no more */
void emu_close();
cudaError_t emu_forbidden();                  /* spoils a capture, and is its failure; else 0 */
cudaError_t emu_enqueue(cudaStream_t s, const std::function<void()> &work);

#endif
