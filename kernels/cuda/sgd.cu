// Gradient descent, plain and with momentum, over all segments of a flat buffer in one launch; the formulas are in
// ../include/sgd.h.
//
// a: m. Moves 12 bytes an element in float32, with momentum 20, and 8 more for the average.
#include "sgd.h"
#include "update.cuh"

TG_UPDATE(sgd, float32, float, false, tg::Descent<float>)
TG_UPDATE(sgd, float64, double, false, tg::Descent<double>)
TG_UPDATE(sgd_averaged, float32, float, true, tg::Descent<float>)
TG_UPDATE(sgd_averaged, float64, double, true, tg::Descent<double>)
TG_UPDATE(momentum, float32, float, false, tg::Momentum<float>)
TG_UPDATE(momentum, float64, double, false, tg::Momentum<double>)
TG_UPDATE(momentum_averaged, float32, float, true, tg::Momentum<float>)
TG_UPDATE(momentum_averaged, float64, double, true, tg::Momentum<double>)
