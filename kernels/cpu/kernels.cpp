// All the kernels, compiled once for each instruction set (setup.py defines TG_ISA). Everything but their C symbols has
// internal linkage, so that the linker cannot give one instruction set's copy to another.
#include "arithmetic.cpp"
#include "batch_norm.cpp"
#include "elementwise.cpp"
#include "embedding.cpp"
#include "gather.cpp"
#include "gemm.cpp"
#include "layer_norm.cpp"
#include "losses.cpp"
#include "optimizers.cpp"
#include "random.cpp"
#include "reductions.cpp"
#include "softmax.cpp"
