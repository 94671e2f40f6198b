// RMSprop over all segments of a flat buffer in one launch, for each set of moments; the formula is in ../include/rmsprop.h.
//
// theta, grad and the moments: count elements. segments: rows of (offset, length). control: a row of doubles for each segment.
// Moves 20 bytes an element in float32, and 8 more for each of buffer and mean.
#include "rmsprop.h"
#include "update.cuh"

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    rmsprop_segments_float32(float *theta, const float *grad, float *v,
        const tg::i64 *segments, const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<float, tg::RMSprop<float, false, false>>(theta, grad, v, nullptr, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    rmsprop_segments_float64(double *theta, const double *grad, double *v,
        const tg::i64 *segments, const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<double, tg::RMSprop<double, false, false>>(theta, grad, v, nullptr, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS, 2)
    rmsprop_momentum_segments_float32(float *theta, const float *grad, float *v, float *buffer,
        const tg::i64 *segments, const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<float, tg::RMSprop<float, true, false>>(theta, grad, v, buffer, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    rmsprop_momentum_segments_float64(double *theta, const double *grad, double *v, double *buffer,
        const tg::i64 *segments, const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<double, tg::RMSprop<double, true, false>>(theta, grad, v, buffer, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    rmsprop_centered_segments_float32(float *theta, const float *grad, float *v, float *mean,
        const tg::i64 *segments, const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<float, tg::RMSprop<float, false, true>>(theta, grad, v, mean, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    rmsprop_centered_segments_float64(double *theta, const double *grad, double *v, double *mean,
        const tg::i64 *segments, const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<double, tg::RMSprop<double, false, true>>(theta, grad, v, mean, nullptr, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    rmsprop_momentum_centered_segments_float32(float *theta, const float *grad, float *v, float *buffer, float *mean,
        const tg::i64 *segments, const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<float, tg::RMSprop<float, true, true>>(theta, grad, v, buffer, mean, segments, control, rows, count);
}

extern "C" __global__ void __launch_bounds__(tg::THREADS)
    rmsprop_momentum_centered_segments_float64(double *theta, const double *grad, double *v, double *buffer, double *mean,
        const tg::i64 *segments, const double *control, tg::i64 rows, tg::i64 count) {
  tg::update_segments<double, tg::RMSprop<double, true, true>>(theta, grad, v, buffer, mean, segments, control, rows, count);
}
