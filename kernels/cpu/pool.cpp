// The thread pool, the BLAS's thread count, and the list of launches that a captured step is.
//
// A job is a grid of tiles. `ticket` packs the job's number, its count of tiles and the next tile to claim into one word:
// a thread claims a tile by advancing it, and a claim that succeeds proves that the job it read is still the current one.
// Workers spin briefly for the next job, then sleep; the caller works too, and returns when every tile is done. A second
// thread that comes while the pool is busy runs its tiles itself, so callers never wait for one another.
#include "pool.h"

#include <atomic>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using tg::i64;
using tg::u32;
using tg::u64;

namespace {

constexpr int MOST_THREADS = 256;
constexpr i64 MOST_TILES = 0xffff;  // of one job; a longer grid is run as several
constexpr int SPINS = 4000;         // some 50 microseconds here: longer than the serial gaps within a step

#if defined(__x86_64__)
void relax() { _mm_pause(); }
u64 float_control() { return _mm_getcsr() & 0xffc0u; }  // rounding, flush to zero, masks; not the status flags
void set_float_control(u64 control) { _mm_setcsr((_mm_getcsr() & ~0xffc0u) | (u32)control); }
#elif defined(__aarch64__)
void relax() { asm volatile("yield"); }
u64 float_control() {
  u64 control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  return control;
}
void set_float_control(u64 control) { asm volatile("msr fpcr, %0" ::"r"(control)); }
#else
void relax() {}
u64 float_control() { return 0; }
void set_float_control(u64) {}
#endif

struct Job {
  std::atomic<tg_tile> run;
  std::atomic<const void *> context;
  std::atomic<i64> first;
  std::atomic<u64> control;
};

std::atomic<u64> ticket{0};  // job number (32 bits), count of tiles (16), next tile (16)
std::atomic<u32> done{0};
std::atomic<int> sleeping{0};
std::atomic<bool> stopping{false};
Job job;
std::atomic<int> wanted{1};
int started = 0;
pthread_t workers[MOST_THREADS];
pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER;  // held by the thread whose job it is
pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;   // guards falling asleep
pthread_cond_t wake = PTHREAD_COND_INITIALIZER;

bool has_tiles(u64 t) { return (t & 0xffff) < (t >> 16 & 0xffff); }

void work() {
  const u64 own = float_control();
  u64 current = own;
  for (u64 t = ticket.load(); has_tiles(t);) {
    tg_tile run = job.run.load(std::memory_order_relaxed);
    const void *context = job.context.load(std::memory_order_relaxed);
    i64 first = job.first.load(std::memory_order_relaxed);
    u64 control = job.control.load(std::memory_order_relaxed);
    if (!ticket.compare_exchange_weak(t, t + 1)) continue;
    if (control != current) set_float_control(current = control);
    run(context, first + (i64)(t & 0xffff));
    done.fetch_add(1, std::memory_order_release);
    t = ticket.load();
  }
  if (current != own) set_float_control(own);
}

void sleep_until_called() {
  pthread_mutex_lock(&door);
  ++sleeping;
  while (!has_tiles(ticket.load()) && !stopping.load()) pthread_cond_wait(&wake, &door);
  --sleeping;
  pthread_mutex_unlock(&door);
}

void *serve(void *) {
  while (!stopping.load()) {
    for (int i = 0; i < SPINS && !has_tiles(ticket.load(std::memory_order_relaxed)); ++i) relax();
    if (!has_tiles(ticket.load())) sleep_until_called();
    work();
  }
  return nullptr;
}

// Starts the workers that are missing; fewer, where the system refuses. Signals stay with the process's own threads.
void start_workers() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (started < wanted - 1 && pthread_create(&workers[started], nullptr, serve, nullptr) == 0) ++started;
  if (started < wanted - 1) wanted = started + 1;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void stop_workers() {
  pthread_mutex_lock(&door);
  stopping = true;
  pthread_cond_broadcast(&wake);
  pthread_mutex_unlock(&door);
  while (started > 0) pthread_join(workers[--started], nullptr);
  stopping = false;
}

void call_sleepers(i64 tiles) {
  if (sleeping.load() == 0) return;
  pthread_mutex_lock(&door);
  if (tiles > sleeping.load())
    pthread_cond_broadcast(&wake);
  else
    for (i64 i = 1; i < tiles; ++i) pthread_cond_signal(&wake);
  pthread_mutex_unlock(&door);
}

void run_job(i64 first, i64 count, tg_tile run, const void *context) {
  done.store(0, std::memory_order_relaxed);
  job.run.store(run, std::memory_order_relaxed);
  job.context.store(context, std::memory_order_relaxed);
  job.first.store(first, std::memory_order_relaxed);
  job.control.store(float_control(), std::memory_order_relaxed);
  ticket.store(((ticket.load() >> 32) + 1) << 32 | (u64)count << 16);
  call_sleepers(count);
  work();
  for (int i = 0; done.load(std::memory_order_acquire) != (u32)count; ++i) i < SPINS ? relax() : (void)sched_yield();
}

pthread_mutex_t blas_door = PTHREAD_MUTEX_INITIALIZER;
int blas_users = 0, blas_before = 0;  // blas_before: the count to restore, 0 where nothing is to restore

// A forked child has none of its parent's threads: it starts with an empty pool, and owes the BLAS the count that a
// run of another thread had lowered at that moment.
void after_fork() {
  ticket = 0;
  done = 0;
  sleeping = 0;
  stopping = false;
  started = 0;
  blas_users = 0;
  owner = door = blas_door = PTHREAD_MUTEX_INITIALIZER;
  wake = PTHREAD_COND_INITIALIZER;
}

__attribute__((constructor)) void watch_forks() { pthread_atfork(nullptr, nullptr, after_fork); }

}  // namespace

extern "C" {

tg_blas_functions tg_blas;

void tg_blas_enter(void) {
  if (!tg_blas.set_threads) return;
  pthread_mutex_lock(&blas_door);
  if (blas_users++ == 0) {
    if (blas_before == 0) blas_before = tg_blas.get_threads();
    if (blas_before != 1) tg_blas.set_threads(1);
  }
  pthread_mutex_unlock(&blas_door);
}

void tg_blas_leave(void) {
  if (!tg_blas.set_threads) return;
  pthread_mutex_lock(&blas_door);
  if (--blas_users == 0) {
    if (blas_before != 1) tg_blas.set_threads(blas_before);
    blas_before = 0;
  }
  pthread_mutex_unlock(&blas_door);
}

void tg_pool_tiles(i64 count, tg_tile run, const void *context) {
  if (count > 1 && wanted > 1 && pthread_mutex_trylock(&owner) == 0) {
    if (started < wanted - 1) start_workers();
    for (i64 first = 0; first < count; first += MOST_TILES)
      run_job(first, count - first < MOST_TILES ? count - first : MOST_TILES, run, context);
    pthread_mutex_unlock(&owner);
  } else {
    for (i64 tile = 0; tile < count; ++tile) run(context, tile);
  }
}

#define TG_PUBLIC __attribute__((visibility("default")))

TG_PUBLIC void tg_set_blas(tg_sgemm sgemm, tg_dgemm dgemm, void (*set_threads)(int), int (*get_threads)(void)) {
  tg_blas = {sgemm, dgemm, set_threads, get_threads};
}

TG_PUBLIC int tg_threads(void) { return wanted; }

// Waits for a job under way in another thread. Workers start with the first job that needs them.
TG_PUBLIC void tg_set_threads(int threads) {
  pthread_mutex_lock(&owner);
  threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
  if (threads - 1 < started) stop_workers();
  wanted = threads;
  pthread_mutex_unlock(&owner);
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
