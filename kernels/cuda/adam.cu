// Adam and AdamW over all segments of a flat buffer in one launch; the formula is in ../include/adam.h.
//
// theta, grad, m, v: count elements. segments: rows of (offset, length). control: a row of doubles for each segment.
// Moves 28 bytes an element in float32.
#include "adam.h"
#include "update.cuh"

extern "C" __global__ void __launch_bounds__(tg::THREADS, 2)
    adam_segments_float32(float *theta, const float *grad, float *m, float *v, const tg::i64 *segments,
                          const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<float, tg::Adam<float>>(theta, grad, m, v, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    adam_segments_float64(double *theta, const double *grad, double *m, double *v, const tg::i64 *segments,
                          const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<double, tg::Adam<double>>(theta, grad, m, v, nullptr, segments, control, rows, count);
}
