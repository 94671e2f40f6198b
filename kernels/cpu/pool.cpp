// The thread pool.
//
// A job is a grid of tiles. `ticket` packs the job's number, its count of tiles and the next tile to claim into one word:
// a thread claims a tile by advancing it, and a claim that succeeds proves that the job it read is still the current one.
// Whoever is free takes the next tile, so a thread that the system stops delays the one tile that it holds. Workers spin
// briefly for the next job, then sleep; the caller works too, and returns when every tile is done. A second thread that
// comes while the pool is busy runs its tiles itself, so callers never wait for one another.
//
// Beside other busy programs a worker that is stopped with a tile in hand keeps the caller waiting for a whole slice of
// the system's scheduler, some milliseconds. So the caller too goes to sleep, which lets the worker have its processor;
// and where workers bring less than such waits cost, they are given nothing for a while.
#include "pool.h"

#include <atomic>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using tg::i64;
using tg::u32;
using tg::u64;

namespace {

constexpr int MOST_THREADS = 256;
constexpr i64 MOST_TILES = 0xffff;  // of one job; a longer grid is run as several
constexpr u64 SPIN = 50'000;        // nanoseconds a worker waits awake: longer than the serial gaps within a step
constexpr u64 WINDOW = 16'000'000, FIRST_REST = 50'000'000, LONGEST_REST = 400'000'000;

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
std::atomic<bool> stopping{false}, caller_sleeps{false};
Job job;
std::atomic<int> wanted{1};
std::atomic<u64> resting_until{0};
u64 used = 0, alone = 0, rest = 0;  // of the owner: the time of jobs since it was last judged, and what they had taken alone
int started = 0;
pthread_t workers[MOST_THREADS];
pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER;  // held by the thread whose job it is
pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;   // guards falling asleep
pthread_cond_t wake = PTHREAD_COND_INITIALIZER, finished = PTHREAD_COND_INITIALIZER;

u64 now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * 1'000'000'000 + (u64)t.tv_nsec;
}

// Waits awake until ready() or for `limit` nanoseconds.
template <class Ready>
bool spin(u64 limit, const Ready &ready) {
  for (u64 start = now();;) {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      relax();
    }
    if (now() - start > limit) return false;
  }
}

bool has_tiles(u64 t) { return (t & 0xffff) < (t >> 16 & 0xffff); }
bool called() { return has_tiles(ticket.load(std::memory_order_relaxed)); }

void finish_tile(u64 t) {
  if (done.fetch_add(1) + 1 == (u32)(t >> 16 & 0xffff) && caller_sleeps.load()) {
    pthread_mutex_lock(&door);
    pthread_cond_signal(&finished);
    pthread_mutex_unlock(&door);
  }
}

// Runs tiles of the current job until none is left to take; how many.
i64 work() {
  i64 mine = 0;
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
    ++mine;
    finish_tile(t);
    t = ticket.load();
  }
  if (current != own) set_float_control(own);
  return mine;
}

void *serve(void *) {
  while (!stopping.load()) {
    if (!spin(SPIN, called)) {
      pthread_mutex_lock(&door);
      ++sleeping;
      while (!has_tiles(ticket.load()) && !stopping.load()) pthread_cond_wait(&wake, &door);
      --sleeping;
      pthread_mutex_unlock(&door);
    }
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

void wait_for(u32 count, u64 limit) {
  if (spin(limit, [=] { return done.load(std::memory_order_acquire) == count; })) return;
  pthread_mutex_lock(&door);
  caller_sleeps = true;
  while (done.load() != count) pthread_cond_wait(&finished, &door);
  caller_sleeps = false;
  pthread_mutex_unlock(&door);
}

// Counts a job of `count` tiles: the caller did `mine` of them in `worked` and then waited for others' last tiles. Where
// it would have been faster by itself, because workers were stopped with tiles in hand, it is by itself for a while; not
// where they brought nothing and cost nothing, for they had not yet come.
void judge(i64 count, i64 mine, u64 worked, u64 waited) {
  used += worked + waited;
  alone += mine > 0 ? worked * (u64)count / (u64)mine : worked + waited;
  if (used < WINDOW) return;
  rest = used < alone + alone / 32 ? 0 : rest == 0 ? FIRST_REST : rest < LONGEST_REST ? 2 * rest : rest;
  if (rest != 0) resting_until = now() + rest;
  used = alone = 0;
}

void run_job(i64 first, i64 count, tg_tile run, const void *context) {
  const u64 start = now();
  done.store(0, std::memory_order_relaxed);
  job.run.store(run, std::memory_order_relaxed);
  job.context.store(context, std::memory_order_relaxed);
  job.first.store(first, std::memory_order_relaxed);
  job.control.store(float_control(), std::memory_order_relaxed);
  ticket.store(((ticket.load() >> 32) + 1) << 32 | (u64)count << 16);
  call_sleepers(count);
  const i64 mine = work();
  const u64 worked = now() - start;
  wait_for((u32)count, worked > SPIN ? worked : SPIN);
  judge(count, mine, worked, now() - start - worked);
}

// A forked child has none of its parent's threads: it starts with an empty pool, of which nothing was judged yet.
void after_fork() {
  ticket = 0;
  resting_until = used = alone = rest = 0;
  done = 0;
  sleeping = 0;
  stopping = caller_sleeps = false;
  started = 0;
  owner = door = PTHREAD_MUTEX_INITIALIZER;
  wake = finished = PTHREAD_COND_INITIALIZER;
}

__attribute__((constructor)) void watch_forks() { pthread_atfork(nullptr, nullptr, after_fork); }

}  // namespace

extern "C" {

void tg_pool_tiles(i64 count, tg_tile run, const void *context) {
  if (count > 1 && wanted > 1 && now() >= resting_until && pthread_mutex_trylock(&owner) == 0) {
    if (started < wanted - 1) start_workers();
    for (i64 first = 0; first < count; first += MOST_TILES)
      run_job(first, count - first < MOST_TILES ? count - first : MOST_TILES, run, context);
    pthread_mutex_unlock(&owner);
  } else {
    for (i64 tile = 0; tile < count; ++tile) run(context, tile);
  }
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
}
