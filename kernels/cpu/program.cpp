// The BLAS's thread count, the list of launches that a captured step is, and the processor's instruction sets.
#include "pool.h"

#include <atomic>
#include <pthread.h>
#include <sched.h>

using tg::i64;

namespace {

pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
int users = 0, before = 0;  // threads inside the BLAS; the count to restore after the last, 0 where nothing is to restore

// OpenBLAS takes locks of its own in every call, and a child forked meanwhile would find them taken for ever. So forks
// wait for the calls under way, and calls for the forks.
std::atomic<int> calls{0}, forks{0};

struct BlasCall {
  BlasCall() {
    while (++calls, forks.load() != 0) {
      --calls;
      while (forks.load() != 0) sched_yield();
    }
  }
  ~BlasCall() { --calls; }
};

struct {
  tg_sgemm sgemm;
  tg_dgemm dgemm;
  void (*set_threads)(int);
  int (*get_threads)(void);
} blas;

void before_fork() {
  ++forks;
  while (calls.load() != 0) sched_yield();
}

void after_fork_in_parent() { --forks; }

// A forked child owes the BLAS the count that a run of another thread had lowered at that moment.
void after_fork_in_child() {
  calls = forks = users = 0;
  door = PTHREAD_MUTEX_INITIALIZER;
}

__attribute__((constructor)) void watch_forks() {
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

i64 none_object = 0, data_offset = 0;

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

template <class T, class Function>
void product(Function gemm, const BlasProduct<T> &p) {
  BlasCall call;
  gemm(ROW_MAJOR, p.transpose_a ? TRANSPOSED : PLAIN, p.transpose_b ? TRANSPOSED : PLAIN, p.m, p.n, p.k, T(1), p.a, p.lda,
       p.b, p.ldb, p.beta, p.out, p.ldout);
}

}  // namespace

void blas_gemm(const BlasProduct<float> &p) { product(blas.sgemm, p); }
void blas_gemm(const BlasProduct<double> &p) { product(blas.dgemm, p); }

extern "C" {

void tg_blas_enter(void) {
  if (!blas.set_threads) return;
  BlasCall call;
  pthread_mutex_lock(&door);
  if (users++ == 0) {
    if (before == 0) before = blas.get_threads();
    if (before != 1) blas.set_threads(1);
  }
  pthread_mutex_unlock(&door);
}

// A count that someone else has set meanwhile stays.
void tg_blas_leave(void) {
  if (!blas.set_threads) return;
  BlasCall call;
  pthread_mutex_lock(&door);
  if (--users == 0) {
    if (before != 1 && blas.get_threads() == 1) blas.set_threads(before);
    before = 0;
  }
  pthread_mutex_unlock(&door);
}

TG_PUBLIC void tg_set_blas(tg_sgemm sgemm, tg_dgemm dgemm, void (*set_threads)(int), int (*get_threads)(void)) {
  blas = {sgemm, dgemm, set_threads, get_threads};
}

struct tg_launch {
  void (*run)(const void *arguments);
  const void *arguments;
};

TG_PUBLIC void tg_run(const tg_launch *launches, i64 count) {
  tg_blas_enter();
  for (i64 i = 0; i < count; ++i) launches[i].run(launches[i].arguments);
  tg_blas_leave();
}

TG_PUBLIC void tg_run_one(void (*run)(const void *arguments), const void *arguments) { run(arguments); }

// Runs a kernel whose pointers stand as Python's objects: arrays, each with the pointer to its data at `data_offset`, or None
// for null. Python would take longer to read the pointers. words: how many objects, how many arguments, and these.
TG_PUBLIC void tg_set_objects(i64 none, i64 offset) {
  none_object = none;
  data_offset = offset;
}

TG_PUBLIC void tg_run_on_objects(void (*run)(const void *arguments), const i64 *words) {
  const i64 objects = words[0], count = words[1];
  i64 *arguments = static_cast<i64 *>(__builtin_alloca(sizeof(i64) * (tg::u64)count));
  for (i64 i = 0; i < count; ++i) {
    const i64 word = words[2 + i];
    arguments[i] = i >= objects ? word : word == none_object ? 0 : *reinterpret_cast<const i64 *>(word + data_offset);
  }
  run(arguments);
}

// Which sources this library was compiled from: see sources.py.
TG_PUBLIC const char *tg_sources(void) { return TG_SOURCES; }

// The best instruction set compiled in that this processor and its system can run: 4, 3, 2 for x86-64-v4, v3, v2; 1 for
// the baseline of another architecture; 0 where there is none.
TG_PUBLIC int tg_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#define TG_HAS(feature) __builtin_cpu_supports(feature)
  bool v2 = TG_HAS("sse4.2") && TG_HAS("popcnt") && TG_HAS("ssse3");
  bool v3 = v2 && TG_HAS("avx2") && TG_HAS("fma") && TG_HAS("bmi") && TG_HAS("bmi2");
  bool v4 = v3 && TG_HAS("avx512f") && TG_HAS("avx512bw") && TG_HAS("avx512cd") && TG_HAS("avx512dq") &&
            TG_HAS("avx512vl");
  return v4 ? 4 : v3 ? 3 : v2 ? 2 : 0;
#else
  return 1;
#endif
}
}
