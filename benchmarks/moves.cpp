// The memory traffic of Adam and no arithmetic: theta, grad, m and v are read, theta, m and v written, 28 bytes an
// element. One OR of bits keeps the compiler from leaving a read out.

#include <cstdint>

extern "C" void moves(uint32_t *__restrict theta, const uint32_t *__restrict grad, uint32_t *__restrict m,
                      uint32_t *__restrict v, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        uint32_t before = theta[i];
        theta[i] = m[i];
        m[i] = v[i];
        v[i] = before | grad[i];
    }
}
