// The CUDA sources compiled for the host: a grid is two loops over blocks and threads. No kernel here shares memory or waits
// for other threads, so any order of threads is a legal one.
#define __global__
#define __device__
#define __launch_bounds__(...)

struct Dimensions {
  unsigned x, y, z;
};
static Dimensions threadIdx, blockIdx, blockDim, gridDim;

#include "adam.cu"
#include "clip.cu"
#include "dropout.cu"
#include "philox.cu"
#include "rmsprop.cu"
#include "sgd.cu"

template <auto kernel>
struct Grid;

template <class... P, void (*kernel)(P...)>
struct Grid<kernel> {
  static void run(long long blocks, long long threads, P... arguments) {
    gridDim.x = (unsigned)blocks;
    blockDim.x = (unsigned)threads;
    for (blockIdx.x = gridDim.x; blockIdx.x-- > 0;)  // backwards, so that a block that relies on an earlier one shows
      for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) kernel(arguments...);
  }
};

#define ENTRY(name) \
  extern "C" void *grid_##name() { return (void *)&Grid<name>::run; }
ENTRY(adam_segments_float32)
ENTRY(adam_segments_float64)
ENTRY(sgd_segments_float32)
ENTRY(sgd_segments_float64)
ENTRY(momentum_segments_float32)
ENTRY(momentum_segments_float64)
ENTRY(rmsprop_segments_float32)
ENTRY(rmsprop_segments_float64)
ENTRY(rmsprop_momentum_segments_float32)
ENTRY(rmsprop_momentum_segments_float64)
ENTRY(rmsprop_centered_segments_float32)
ENTRY(rmsprop_centered_segments_float64)
ENTRY(rmsprop_momentum_centered_segments_float32)
ENTRY(rmsprop_momentum_centered_segments_float64)
ENTRY(norm_lanes_float32)
ENTRY(norm_lanes_float64)
ENTRY(norm_leaves)
ENTRY(clip_factors)
ENTRY(dropout_float32)
ENTRY(dropout_float64)
ENTRY(philox_words)
