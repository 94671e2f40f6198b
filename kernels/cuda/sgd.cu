// Gradient descent, plain and with momentum, over all segments of a flat buffer in one launch; the formulas are in
// ../include/sgd.h.
//
// theta, grad, m: count elements. segments: rows of (offset, length). control: a row of doubles for each segment.
// Moves 12 bytes an element in float32, with momentum 20.
#include "sgd.h"
#include "update.cuh"

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    sgd_segments_float32(float *theta, const float *grad, const tg::i64 *segments, const double *control,
                         tg::i64 rows, tg::i64 count) {
  tg::update_segments<float, tg::Descent<float>>(theta, grad, nullptr, nullptr, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    sgd_segments_float64(double *theta, const double *grad, const tg::i64 *segments, const double *control,
                         tg::i64 rows, tg::i64 count) {
  tg::update_segments<double, tg::Descent<double>>(theta, grad, nullptr, nullptr, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    momentum_segments_float32(float *theta, const float *grad, float *m, const tg::i64 *segments,
                              const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<float, tg::Momentum<float>>(theta, grad, m, nullptr, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS, 3)
    momentum_segments_float64(double *theta, const double *grad, double *m, const tg::i64 *segments,
                              const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<double, tg::Momentum<double>>(theta, grad, m, nullptr, nullptr, segments, control, rows, count);
}
