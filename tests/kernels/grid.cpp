// The CUDA sources compiled for the host: a grid is two loops over blocks and threads. No kernel here shares memory or waits
// for other threads, so any order of threads is a legal one.
#define __global__
#define __device__
#define __launch_bounds__(threads)

struct Dimensions {
  unsigned x, y, z;
};
static Dimensions threadIdx, blockIdx, blockDim, gridDim;

#include "adam.cu"
#include "dropout.cu"
#include "philox.cu"
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
ENTRY(dropout_float32)
ENTRY(dropout_float64)
ENTRY(philox_words)
