// RMSprop over all segments of a flat buffer in one launch, for each set of moments; the formula is in ../include/rmsprop.h.
//
// a: v; then buffer and mean, where they are there. Moves 20 bytes an element in float32, and 8 more for each of buffer, mean
// and the average.
#include "rmsprop.h"
#include "update.cuh"

TG_UPDATE(rmsprop, float32, float, false, tg::RMSprop<float, false, false>)
TG_UPDATE(rmsprop, float64, double, false, tg::RMSprop<double, false, false>)
TG_UPDATE(rmsprop_averaged, float32, float, true, tg::RMSprop<float, false, false>)
TG_UPDATE(rmsprop_averaged, float64, double, true, tg::RMSprop<double, false, false>)
TG_UPDATE(rmsprop_momentum, float32, float, false, tg::RMSprop<float, true, false>)
TG_UPDATE(rmsprop_momentum, float64, double, false, tg::RMSprop<double, true, false>)
TG_UPDATE(rmsprop_momentum_averaged, float32, float, true, tg::RMSprop<float, true, false>)
TG_UPDATE(rmsprop_momentum_averaged, float64, double, true, tg::RMSprop<double, true, false>)
TG_UPDATE(rmsprop_centered, float32, float, false, tg::RMSprop<float, false, true>)
TG_UPDATE(rmsprop_centered, float64, double, false, tg::RMSprop<double, false, true>)
TG_UPDATE(rmsprop_centered_averaged, float32, float, true, tg::RMSprop<float, false, true>)
TG_UPDATE(rmsprop_centered_averaged, float64, double, true, tg::RMSprop<double, false, true>)
TG_UPDATE(rmsprop_momentum_centered, float32, float, false, tg::RMSprop<float, true, true>)
TG_UPDATE(rmsprop_momentum_centered, float64, double, false, tg::RMSprop<double, true, true>)
TG_UPDATE(rmsprop_momentum_centered_averaged, float32, float, true, tg::RMSprop<float, true, true>)
TG_UPDATE(rmsprop_momentum_centered_averaged, float64, double, true, tg::RMSprop<double, true, true>)
