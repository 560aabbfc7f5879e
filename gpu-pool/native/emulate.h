// Runs kernels.cuh on a CPU, one fiber a thread, to check what it computes on machines without a GPU (check.ts).
#pragma once
#include <cuda_fp16.h>
#include <math.h>
#include <string.h>
#include <ucontext.h>

#include <functional>
#include <vector>

#undef __global__
#undef __device__
#undef __forceinline__
#undef __launch_bounds__
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

namespace emulated {
enum class Wait { none, warp, block, done };
#ifdef __x86_64__
/// Goes on where `to` was left, with the registers that a call must keep; a library's switch asks the kernel each time.
__attribute__((naked, noinline)) inline void switch_stack(void**, void*) {
  asm("pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15; movq %rsp, (%rdi); movq %rsi, %rsp;"
      "popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp; retq");
}
struct Context {
  void* at = nullptr;
  void start(std::vector<char>& stack, void (*enter)()) {
    void** top = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(stack.data() + stack.size()) & ~uintptr_t{15});
    top[-2] = reinterpret_cast<void*>(enter);
    at = top - 8;
  }
  static void change(Context& from, Context& to) { switch_stack(&from.at, to.at); }
};
#else
struct Context {
  ucontext_t at;
  void start(std::vector<char>& stack, void (*enter)()) {
    getcontext(&at);
    at.uc_stack.ss_sp = stack.data();
    at.uc_stack.ss_size = stack.size();
    at.uc_link = nullptr;
    makecontext(&at, enter, 0);
  }
  static void change(Context& from, Context& to) { swapcontext(&from.at, &to.at); }
};
#endif
struct Fiber {
  Context context;
  std::vector<char> stack;
  Wait wait;
  double shuffled;
  uint32_t a[4], b[2];
};
inline std::vector<Fiber> fibers(1024);
inline Context scheduler;
inline uint32_t now, threads;
inline std::function<void()> body;
alignas(16) inline float shared[32768];

struct ThreadIndex {
  struct {
    operator uint32_t() const { return now; }
  } x;
};
inline ThreadIndex thread;
inline dim3 block_index, block_size;

inline void pause(Wait wait) {
  Fiber& f = fibers[now];
  f.wait = wait;
  Context::change(f.context, scheduler);
}
inline void enter() {
  body();
  pause(Wait::done);
}
inline void release(uint32_t from, uint32_t to, Wait kind) {
  bool all = false;
  for (uint32_t i = from; i < to; i++) {
    if (fibers[i].wait == Wait::done) continue;
    if (fibers[i].wait != kind) return;
    all = true;
  }
  if (all)
    for (uint32_t i = from; i < to; i++)
      if (fibers[i].wait == kind) fibers[i].wait = Wait::none;
}
/// Until all threads of the warp are at the block's barrier, or through.
inline void run_warp(uint32_t from, uint32_t to) {
  for (bool ready = true; ready;) {
    for (now = from; now < to; now++)
      if (fibers[now].wait == Wait::none) Context::change(scheduler, fibers[now].context);
    release(from, to, Wait::warp);
    ready = false;
    for (uint32_t i = from; i < to; i++) ready |= fibers[i].wait == Wait::none;
  }
}
inline void run_block() {
  for (uint32_t i = 0; i < threads; i++) {
    Fiber& f = fibers[i];
    f.stack.resize(1 << 16);
    f.wait = Wait::none;
    f.context.start(f.stack, enter);
  }
  for (bool alive = true; alive;) {
    alive = false;
    for (uint32_t w = 0; w < threads; w += 32) run_warp(w, w + 32 < threads ? w + 32 : threads);
    release(0, threads, Wait::block);
    for (uint32_t i = 0; i < threads; i++) alive |= fibers[i].wait != Wait::done;
  }
}
template <typename T>
T shuffle(T value, int step) {
  fibers[now].shuffled = value;
  pause(Wait::warp);
  const T got = static_cast<T>(fibers[now ^ step].shuffled);
  pause(Wait::warp);
  return got;
}
inline uint32_t tally;
inline uint32_t count(bool counted) {
  tally += counted;
  pause(Wait::block);
  const uint32_t all = tally;
  pause(Wait::block);
  tally = 0;
  pause(Wait::block);
  return all;
}
inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float half_of(const uint32_t* registers, int at, uint32_t k) {
  __half h;
  memcpy(&h, reinterpret_cast<const char*>(registers + at) + 2 * (k % 2), 2);
  return __half2float(h);
}
/// mma.m16n8k16: see the fragment layouts of the PTX manual.
inline void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  memcpy(fibers[now].a, a, sizeof a);
  memcpy(fibers[now].b, b, sizeof b);
  pause(Wait::warp);
  const uint32_t warp = now & ~31u;
  for (uint32_t i = 0; i < 4; i++) {
    const uint32_t row = (now % 32) / 4 + (i >= 2 ? 8 : 0), column = (now % 4) * 2 + i % 2;
    for (uint32_t k = 0; k < 16; k++)
      c[i] += half_of(fibers[warp + (row % 8) * 4 + (k % 8) / 2].a, (row >= 8) + 2 * (k >= 8), k) *
              half_of(fibers[warp + column * 4 + (k % 8) / 2].b, k >= 8, k);
  }
  pause(Wait::warp);
}
template <typename Kernel, typename... A>
void launch(Kernel kernel, dim3 grid, dim3 block, A... a) {
  threads = block.x;
  block_size = block;
  body = [&] { kernel(a...); };
  for (uint32_t z = 0; z < grid.z; z++)
    for (uint32_t y = 0; y < grid.y; y++)
      for (uint32_t x = 0; x < grid.x; x++) {
        block_index = dim3(x, y, z);
        run_block();
      }
}
/// Weights that are mapped from a file are not aligned on the CPU, as they are on a GPU.
template <typename T>
T load(const T* at) {
  T value;
  memcpy(&value, reinterpret_cast<const char*>(at), sizeof value);
  return value;
}
inline uint32_t add(uint32_t* to, uint32_t value) {
  const uint32_t before = *to;
  *to += value;
  return before;
}
}  // namespace emulated

#define threadIdx emulated::thread
#define blockIdx emulated::block_index
#define blockDim emulated::block_size
#define __syncthreads() emulated::pause(emulated::Wait::block)
#define __syncthreads_count(counted) emulated::count(counted)
#define __float_as_uint emulated::bits_of
#define __shfl_xor_sync(mask, value, step) emulated::shuffle(value, step)
#define __ldg emulated::load
#define __ldcs emulated::load
#define __ldcg emulated::load
#define __threadfence()
#define atomicAdd emulated::add
#define __fadd_rn(a, b) ((a) + (b))
#define __fmul_rn(a, b) ((a) * (b))
#define __fdividef(a, b) ((a) / (b))
#define __expf expf
#define rsqrtf(x) (1.0f / sqrtf(x))
template <typename T>
T min(T a, T b) {
  return a < b ? a : b;
}
#define multiply_add emulated::multiply
#define __syncwarp() emulated::pause(emulated::Wait::warp)
#define SHARED(name) float* name = emulated::shared
#define LAUNCH(kernel, grid, block, shared, stream, ...) emulated::launch(kernel, grid, block, __VA_ARGS__)
#define cudaGetLastError() cudaSuccess
#define cudaGetErrorString(e) "emulated"
