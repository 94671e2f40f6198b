// The order that sorts keys, equal ones staying in order: order[k] is the place of the k-th smallest. Ranks are counted within
// tiles; then runs are merged two by two, of twice the length each time: whoever stands in one run counts those of the other
// that come before it, by bisection. Nothing is waited for, so that a graph can hold it.
#include "grid.cuh"

using namespace tg;

namespace tg {

constexpr i64 RUN = THREADS;  // keys of a tile

}  // namespace tg

extern "C" __global__ void __launch_bounds__(THREADS) order_tiles(i64 *order, const i64 *keys, i64 count) {
  for (i64 i = thread_number(); i < count; i += thread_count()) {
    const i64 key = keys[i], begin = i / RUN * RUN, end = least(begin + RUN, count);
    i64 rank = begin;
    for (i64 k = begin; k < end; ++k) rank += keys[k] < key || (keys[k] == key && k < i);
    order[rank] = i;
  }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    order_merged(i64 *order, const i64 *before, const i64 *keys, i64 run, i64 count) {
  for (i64 i = thread_number(); i < count; i += thread_count()) {
    const i64 begin = i / (2 * run) * (2 * run), middle = least(begin + run, count), end = least(middle + run, count);
    const i64 key = keys[before[i]];
    const bool first = i < middle;
    i64 low = first ? middle : begin, high = first ? end : middle;
    while (low < high) {
      const i64 half = low + (high - low) / 2, other = keys[before[half]];
      if (other < key || (other == key && !first))
        low = half + 1;
      else
        high = half;
    }
    order[i + low - middle] = before[i];
  }
}
