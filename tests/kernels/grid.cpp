// The CUDA sources compiled for the host. Blocks run one after another, backwards, so that a block that relies on an earlier
// one shows. The threads of a block are fibers: each runs until it waits (__syncthreads, a shuffle) or ends, then the next;
// either all in turn, or one warp as far as it gets before the next begins, in one of several orders: a result that depends
// on the order lacks a barrier. Shared memory starts as NaN in each block. A block in which no thread can go on, because
// some wait where others never arrive, is a fault.
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)

struct Dimensions {
  unsigned x, y, z;
};
static Dimensions threadIdx, blockIdx, blockDim, gridDim;

namespace host {

enum State { READY, AT_WARP, AT_BLOCK, DONE };
constexpr int MOST = 1024, LANES = 32;
constexpr size_t STACK = 128 << 10;

static ucontext_t scheduler, fiber[MOST];
static char *stacks;
static State state[MOST];
static unsigned char slot[MOST][8];
static void (*body)(void *);
static void *body_arguments;
static int order;
static long long faults, barriers;

static void wait(State at) {
  const unsigned me = threadIdx.x;
  state[me] = at;
  swapcontext(&fiber[me], &scheduler);
}

static void enter() {
  body(body_arguments);
  state[threadIdx.x] = DONE;
}

static void release(unsigned first, unsigned end, State at) {
  for (unsigned t = first; t < end; ++t)
    if (state[t] != at) return;
  for (unsigned t = first; t < end; ++t) state[t] = READY;
  ++barriers;
}

// Forwards, backwards, or shuffled by a stride that is prime to the number of threads.
static unsigned turn(unsigned i, unsigned count) {
  if (order == 0) return i;
  if (order == 1) return count - 1 - i;
  return (i * 97u + 41u) % count;
}

// Runs each thread of first..end that is ready until it waits or ends; whether there was one.
static bool run_threads(unsigned first, unsigned count) {
  bool any = false;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned t = first + turn(i, count);
    if (state[t] != READY) continue;
    any = true;
    threadIdx.x = t;
    swapcontext(&scheduler, &fiber[t]);
  }
  return any;
}

static void run_block(unsigned count) {
  if (!stacks) stacks = (char *)malloc(MOST * STACK);
  for (unsigned t = 0; t < count; ++t) {
    getcontext(&fiber[t]);
    fiber[t].uc_stack.ss_sp = stacks + t * STACK;
    fiber[t].uc_stack.ss_size = STACK;
    fiber[t].uc_link = &scheduler;
    makecontext(&fiber[t], enter, 0);
    state[t] = READY;
  }
  for (bool any = true; any;) {
    any = order == 0 && run_threads(0, count);
    for (unsigned i = 0; i < count / LANES; ++i) {
      const unsigned warp = turn(i, count / LANES) * LANES;
      do release(warp, warp + LANES, AT_WARP);
      while (order != 0 && run_threads(warp, LANES) && (any = true));
    }
    release(0, count, AT_BLOCK);
  }
  for (unsigned t = 0; t < count; ++t) faults += state[t] != DONE;
}

}  // namespace host

static inline void __syncthreads() { host::wait(host::AT_BLOCK); }

template <class T>
static inline T __shfl_xor_sync(unsigned, T value, int distance) {
  const unsigned me = threadIdx.x;
  memcpy(host::slot[me], &value, sizeof(T));
  host::wait(host::AT_WARP);
  memcpy(&value, host::slot[me ^ (unsigned)distance], sizeof(T));
  host::wait(host::AT_WARP);
  return value;
}

#include "sources.inc"
using namespace of_float32;
using namespace of_float64;
using namespace of_bfloat16;

template <auto kernel>
struct Grid;

template <class... P, void (*kernel)(P...)>
struct Grid<kernel> {
  static void run(long long blocks, long long threads, P... arguments) {
    auto call = [&] { kernel(arguments...); };
    host::body = [](void *given) { (*static_cast<decltype(call) *>(given))(); };
    host::body_arguments = &call;
    gridDim.x = (unsigned)blocks;
    blockDim.x = (unsigned)threads;
    for (blockIdx.x = gridDim.x; blockIdx.x-- > 0;) {
      memset(tg::team_room(), 0xff, tg::TEAM_ROOM);
      memset(tg::column_room(), 0xff, tg::COLUMN_ROOM);
      host::run_block(blockDim.x);
    }
  }
};

extern "C" void grid_order(int order) { host::order = order; }
extern "C" long long grid_faults() { return host::faults; }
extern "C" long long grid_barriers() { return host::barriers; }

#define ENTRY(name) \
  extern "C" void *grid_##name() { return (void *)&Grid<::name>::run; }
#include "entries.inc"
