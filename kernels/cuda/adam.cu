// Adam and AdamW over all segments of a flat buffer in one launch; the formula is in ../include/adam.h.
//
// a, b: m and v. Moves 28 bytes an element in float32, 36 with the average.
#include "adam.h"
#include "update.cuh"

TG_UPDATE(adam, float32, float, false, tg::Adam<float>)
TG_UPDATE(adam, float64, double, false, tg::Adam<double>)
TG_UPDATE(adam_averaged, float32, float, true, tg::Adam<float>)
TG_UPDATE(adam_averaged, float64, double, true, tg::Adam<double>)
