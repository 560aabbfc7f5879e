// Kernels of the denoiser that ONNX Runtime's CUDA provider has no fast or no bit-stable form of. All tensors are half
// precision with channels last, all sums float32 in a fixed order: the same input gives the same bits.
#pragma once
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <stdint.h>

#ifdef EMULATE
#include "emulate.h"
#else
#define SHARED(name) extern __shared__ float name[]
#define LAUNCH(kernel, grid, block, shared, stream, ...) kernel<<<grid, block, shared, stream>>>(__VA_ARGS__)
#endif

#ifndef EMULATE
/// c += a x b of a warp: 16x16 by 16x8, half precision with float32 sums.
__device__ __forceinline__ void multiply_add(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

/// Eight numbers of a row: what a thread moves at a time.
struct Eight {
  float v[8];
};

__device__ __forceinline__ Eight unpack(uint4 raw) {
  Eight e;
  const __half2* h = reinterpret_cast<const __half2*>(&raw);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float2 f = __half22float2(h[i]);
    e.v[2 * i] = f.x;
    e.v[2 * i + 1] = f.y;
  }
  return e;
}

__device__ __forceinline__ uint4 pack(const Eight& e) {
  uint4 raw;
  __half2* h = reinterpret_cast<__half2*>(&raw);
#pragma unroll
  for (int i = 0; i < 4; i++) h[i] = __floats2half2_rn(e.v[2 * i], e.v[2 * i + 1]);
  return raw;
}

/// x times the normal distribution function of x, by Abramowitz & Stegun 7.1.26: error of the function under 1.5e-7.
__device__ __forceinline__ float gelu(float x) {
  const float z = fabsf(x) * 0.70710678f;
  const float t = __fdividef(1.0f, fmaf(0.3275911f, z, 1.0f));
  float p = fmaf(t, 1.061405429f, -1.453152027f);
  p = fmaf(t, p, 1.421413741f);
  p = fmaf(t, p, -0.284496736f);
  p = fmaf(t, p, 0.254829592f) * t;
  const float beyond = 0.5f * p * __expf(-z * z);
  return x * (x >= 0.0f ? 1.0f - beyond : beyond);
}

__device__ __forceinline__ float silu(float x) { return __fdividef(x, 1.0f + __expf(-x)); }

/// left * gelu(right) of the halves of each row of `in` + `bias`. @param vectors eights in a row of the result
template <int UNROLL>
__global__ void __launch_bounds__(256) geglu_kernel(const uint4* __restrict__ in, const uint4* __restrict__ bias,
                                                    uint4* __restrict__ out, uint32_t vectors, uint32_t total) {
  const uint32_t first = blockIdx.x * (256 * UNROLL) + threadIdx.x;
  uint4 left[UNROLL], right[UNROLL];
  uint32_t column[UNROLL];
#pragma unroll
  for (int u = 0; u < UNROLL; u++) {
    const uint32_t at = first + u * 256;
    if (at < total) {
      const uint32_t row = at / vectors;
      column[u] = at - row * vectors;
      const uint4* from = in + static_cast<size_t>(row) * 2 * vectors + column[u];
      left[u] = __ldcs(from);
      right[u] = __ldcs(from + vectors);
    }
  }
#pragma unroll
  for (int u = 0; u < UNROLL; u++) {
    const uint32_t at = first + u * 256;
    if (at >= total) continue;
    Eight a = unpack(left[u]), b = unpack(right[u]);
    const Eight p = unpack(__ldg(bias + column[u])), q = unpack(__ldg(bias + vectors + column[u]));
#pragma unroll
    for (int i = 0; i < 8; i++) a.v[i] = (a.v[i] + p.v[i]) * gelu(b.v[i] + q.v[i]);
    out[at] = pack(a);
  }
}

/// Where the rows of a clip lie: row (frame, pixel) of a clip at (pixel, frame) when `frames` is not 0.
struct Order {
  uint32_t frames;
  uint32_t pixels;
  __device__ __forceinline__ size_t at(uint32_t row) const {
    if (frames == 0) return row;
    const uint32_t length = frames * pixels;
    const uint32_t clip = row / length;
    const uint32_t inside = row - clip * length;
    const uint32_t frame = inside / pixels;
    const uint32_t pixel = inside - frame * pixels;
    return static_cast<size_t>(clip) * length + static_cast<size_t>(pixel) * frames + frame;
  }
};

struct NormShape {
  uint32_t images;
  /// Rows of an image.
  uint32_t pixels;
  /// Eights in a row; a block has `vectors * lanes` threads, each of one column.
  uint32_t vectors;
  uint32_t lanes;
  uint32_t groups;
  uint32_t chunks;
  uint32_t chunk_rows;
};

/**
 * Sums and sums of squares of each group over a chunk of rows: partial[image][chunk][group][2]. With `skip` it also
 * writes x + skip + bias to `sum`, and counts what was written; `shift` [images, channels] is added alike.
 */
template <bool SKIP>
__global__ void __launch_bounds__(512) norm_sums_kernel(const uint4* __restrict__ x, const uint4* __restrict__ skip,
                                                        const uint4* __restrict__ bias, const uint4* __restrict__ shift,
                                                        uint4* __restrict__ sum, float* __restrict__ partial,
                                                        NormShape n, Order order) {
  SHARED(shared);
  const uint32_t column = threadIdx.x % n.vectors, lane = threadIdx.x / n.vectors;
  const uint32_t image = blockIdx.y, chunk = blockIdx.x, channels = n.vectors * 8;
  Eight add = {};
  if (bias) add = unpack(__ldg(bias + column));
  if (shift) {
    const Eight more = unpack(__ldg(shift + image * n.vectors + column));
#pragma unroll
    for (int i = 0; i < 8; i++) add.v[i] += more.v[i];
  }
  Eight s = {}, q = {};
  const uint32_t end = min(n.pixels, (chunk + 1) * n.chunk_rows);
#pragma unroll 4
  for (uint32_t r = chunk * n.chunk_rows + lane; r < end; r += n.lanes) {
    const uint32_t row = image * n.pixels + r;
    Eight a = unpack(__ldg(x + order.at(row) * n.vectors + column));
#pragma unroll
    for (int i = 0; i < 8; i++) a.v[i] += add.v[i];
    if (SKIP) {
      const size_t at = static_cast<size_t>(row) * n.vectors + column;
      const Eight b = unpack(__ldg(skip + at));
#pragma unroll
      for (int i = 0; i < 8; i++) a.v[i] += b.v[i];
      const uint4 raw = pack(a);
      sum[at] = raw;
      a = unpack(raw);
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
      s.v[i] += a.v[i];
      q.v[i] = fmaf(a.v[i], a.v[i], q.v[i]);
    }
  }
  float* squares = shared + n.lanes * channels;
#pragma unroll
  for (int i = 0; i < 8; i++) {
    shared[lane * channels + column * 8 + i] = s.v[i];
    squares[lane * channels + column * 8 + i] = q.v[i];
  }
  __syncthreads();
  for (uint32_t c = threadIdx.x; c < channels; c += blockDim.x) {
    float total = shared[c], total2 = squares[c];
    for (uint32_t l = 1; l < n.lanes; l++) {
      total += shared[l * channels + c];
      total2 += squares[l * channels + c];
    }
    shared[c] = total;
    squares[c] = total2;
  }
  __syncthreads();
  const uint32_t width = channels / n.groups;
  for (uint32_t g = threadIdx.x; g < n.groups; g += blockDim.x) {
    float total = 0, total2 = 0;
    for (uint32_t c = g * width; c < (g + 1) * width; c++) {
      total += shared[c];
      total2 += squares[c];
    }
    float* to = partial + ((static_cast<size_t>(image) * n.chunks + chunk) * n.groups + g) * 2;
    to[0] = total;
    to[1] = total2;
  }
}

/// Mean and 1 / deviation of each group of each image: stats[image][group][2]. A warp a group, `groups` warps a block.
__global__ void norm_stats_kernel(const float* __restrict__ partial, float* __restrict__ stats, NormShape n,
                                  float epsilon) {
  const uint32_t image = blockIdx.x, lane = threadIdx.x % 32;
  const double count = static_cast<double>(n.pixels) * (n.vectors * 8 / n.groups);
  for (uint32_t g = threadIdx.x / 32; g < n.groups; g += blockDim.x / 32) {
    double total = 0, total2 = 0;
    for (uint32_t c = lane; c < n.chunks; c += 32) {
      const float* from = partial + ((static_cast<size_t>(image) * n.chunks + c) * n.groups + g) * 2;
      total += from[0];
      total2 += from[1];
    }
    for (int step = 16; step > 0; step /= 2) {
      total += __shfl_xor_sync(0xffffffffu, total, step);
      total2 += __shfl_xor_sync(0xffffffffu, total2, step);
    }
    if (lane != 0) continue;
    const double mean = total / count;
    const double variance = fmax(total2 / count - mean * mean, 0.0);
    stats[(image * n.groups + g) * 2] = static_cast<float>(mean);
    stats[(image * n.groups + g) * 2 + 1] = static_cast<float>(1.0 / sqrt(variance + epsilon));
  }
}

/// (x + bias + shift - mean) / deviation * gamma + beta, then SiLU where asked.
template <bool SILU>
__global__ void __launch_bounds__(512) norm_apply_kernel(const uint4* __restrict__ x, const uint4* __restrict__ bias,
                                                         const uint4* __restrict__ shift,
                                                         const float* __restrict__ gamma,
                                                         const float* __restrict__ beta,
                                                         const float* __restrict__ stats, uint4* __restrict__ out,
                                                         NormShape n, Order from, Order to) {
  const uint32_t column = threadIdx.x % n.vectors, lane = threadIdx.x / n.vectors;
  const uint32_t image = blockIdx.y, chunk = blockIdx.x, width = n.vectors * 8 / n.groups;
  Eight add = {}, scale;
  if (bias) add = unpack(__ldg(bias + column));
  if (shift) {
    const Eight more = unpack(__ldg(shift + image * n.vectors + column));
#pragma unroll
    for (int i = 0; i < 8; i++) add.v[i] += more.v[i];
  }
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const uint32_t channel = column * 8 + i;
    const float* s = stats + (image * n.groups + channel / width) * 2;
    scale.v[i] = gamma[channel] * s[1];
    add.v[i] = fmaf(add.v[i] - s[0], scale.v[i], beta[channel]);
  }
  const uint32_t end = min(n.pixels, (chunk + 1) * n.chunk_rows);
#pragma unroll 4
  for (uint32_t r = chunk * n.chunk_rows + lane; r < end; r += n.lanes) {
    const uint32_t row = image * n.pixels + r;
    Eight a = unpack(__ldg(x + from.at(row) * n.vectors + column));
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const float y = fmaf(a.v[i], scale.v[i], add.v[i]);
      a.v[i] = SILU ? silu(y) : y;
    }
    out[to.at(row) * n.vectors + column] = pack(a);
  }
}

__device__ __forceinline__ float warp_sum(float x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

/**
 * Layer norm of x + skip + bias, plus a row of `position` that repeats every `frames` rows. A warp a row; VECTORS eights
 * a lane at most. Writes the sum too.
 */
template <int VECTORS>
__global__ void __launch_bounds__(256) layer_norm_kernel(const uint4* __restrict__ x, const uint4* __restrict__ skip,
                                                         const uint4* __restrict__ bias,
                                                         const uint4* __restrict__ gamma,
                                                         const uint4* __restrict__ beta,
                                                         const uint4* __restrict__ position, uint4* __restrict__ out,
                                                         uint4* __restrict__ sum, uint32_t rows, uint32_t vectors,
                                                         uint32_t frames, float epsilon) {
  const uint32_t row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const size_t start = static_cast<size_t>(row) * vectors;
  Eight e[VECTORS];
  float total = 0;
#pragma unroll
  for (int k = 0; k < VECTORS; k++) {
    const uint32_t column = lane + 32 * k;
    e[k] = {};
    if (column < vectors) {
      e[k] = unpack(__ldg(x + start + column));
      if (bias) {
        const Eight b = unpack(__ldg(bias + column));
#pragma unroll
        for (int i = 0; i < 8; i++) e[k].v[i] += b.v[i];
      }
      if (skip) {
        const Eight s = unpack(__ldg(skip + start + column));
#pragma unroll
        for (int i = 0; i < 8; i++) e[k].v[i] += s.v[i];
      }
      sum[start + column] = pack(e[k]);
#pragma unroll
      for (int i = 0; i < 8; i++) total += e[k].v[i];
    }
  }
  const float count = static_cast<float>(vectors * 8);
  const float mean = warp_sum(total) / count;
  float squares = 0;
#pragma unroll
  for (int k = 0; k < VECTORS; k++) {
    if (lane + 32 * k >= vectors) continue;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const float d = e[k].v[i] - mean;
      squares = fmaf(d, d, squares);
    }
  }
  const float inverse = rsqrtf(warp_sum(squares) / count + epsilon);
  const uint4* place = position ? position + static_cast<size_t>(row % frames) * vectors : nullptr;
#pragma unroll
  for (int k = 0; k < VECTORS; k++) {
    const uint32_t column = lane + 32 * k;
    if (column >= vectors) continue;
    const Eight g = unpack(__ldg(gamma + column)), b = unpack(__ldg(beta + column));
    Eight p = {};
    if (place) p = unpack(__ldg(place + column));
#pragma unroll
    for (int i = 0; i < 8; i++) e[k].v[i] = fmaf((e[k].v[i] - mean) * inverse, g.v[i], b.v[i]) + p.v[i];
    out[start + column] = pack(e[k]);
  }
}

/// x (in the order given) + bias + skip.
__global__ void __launch_bounds__(256) residual_kernel(const uint4* __restrict__ x, const uint4* __restrict__ bias,
                                                       const uint4* __restrict__ skip, uint4* __restrict__ out,
                                                       uint32_t vectors, uint32_t total, Order order) {
  const uint32_t at = blockIdx.x * 256 + threadIdx.x;
  if (at >= total) return;
  const uint32_t row = at / vectors, column = at - row * vectors;
  Eight a = unpack(__ldg(x + order.at(row) * vectors + column));
  const Eight b = unpack(__ldg(bias + column)), s = unpack(__ldg(skip + at));
#pragma unroll
  for (int i = 0; i < 8; i++) a.v[i] += b.v[i] + s.v[i];
  out[at] = pack(a);
}

/**
 * Four pictures of half the size, as channels of [images, height + 1, width + 1, 4 * channels], to one of
 * [images, 2 * height, 2 * width, channels], plus bias: pixel (2i + a, 2j + b) is phase (a, b) at (i + a, j + b).
 */
__global__ void __launch_bounds__(256) interleave_kernel(const uint4* __restrict__ phases,
                                                         const uint4* __restrict__ bias, uint4* __restrict__ out,
                                                         uint32_t height, uint32_t width, uint32_t vectors,
                                                         uint32_t total) {
  const uint32_t at = blockIdx.x * 256 + threadIdx.x;
  if (at >= total) return;
  const uint32_t pixel = at / vectors, column = at - pixel * vectors;
  const uint32_t line = pixel / (2 * width), x = pixel - line * 2 * width;
  const uint32_t image = line / (2 * height), y = line - image * 2 * height;
  const uint32_t a = y & 1, b = x & 1;
  const size_t row = (static_cast<size_t>(image) * (height + 1) + (y >> 1) + a) * (width + 1) + (x >> 1) + b;
  Eight e = unpack(__ldg(phases + (row * 4 + a * 2 + b) * vectors + column));
  const Eight add = unpack(__ldg(bias + column));
#pragma unroll
  for (int i = 0; i < 8; i++) e.v[i] += add.v[i];
  out[at] = pack(e);
}

/// Halves that pad a row in shared memory, so that rows start in different banks.
constexpr uint32_t ROW_PADDING = 8;

__device__ __forceinline__ uint32_t pair_at(const __half* at) { return *reinterpret_cast<const uint32_t*>(at); }

__device__ __forceinline__ uint32_t pair_of(float a, float b) {
  const __half2 h = __floats2half2_rn(a, b);
  return *reinterpret_cast<const uint32_t*>(&h);
}

/**
 * Attention over the frames of a pixel: q, k, v [sequences, frames, heads * width]. A block takes one sequence and
 * `share` eights of its channels, each of its first warps a head of them; TILES * 16 >= frames. What is read is read once.
 */
template <int TILES>
__global__ void __launch_bounds__(256) temporal_attention_kernel(const uint4* __restrict__ q, const uint4* __restrict__ k,
                                          const uint4* __restrict__ v, uint4* __restrict__ out, uint32_t frames,
                                          uint32_t vectors, uint32_t share, uint32_t width, float scale) {
  constexpr uint32_t ROWS = TILES * 16;
  SHARED(memory);
  const uint32_t stride = share * 8 + ROW_PADDING;
  __half* sq = reinterpret_cast<__half*>(memory);
  __half* sk = sq + ROWS * stride;
  __half* sv = sk + ROWS * stride;
  const size_t start = static_cast<size_t>(blockIdx.x) * frames * vectors + blockIdx.y * share;
  for (uint32_t i = threadIdx.x; i < ROWS * share; i += blockDim.x) {
    const uint32_t row = i / share, column = i - row * share;
    uint4 a = {0, 0, 0, 0}, b = a, c = a;
    if (row < frames) {
      const size_t at = start + static_cast<size_t>(row) * vectors + column;
      a = __ldcs(q + at);
      b = __ldcs(k + at);
      c = __ldcs(v + at);
    }
    const uint32_t to = row * stride + column * 8;
    *reinterpret_cast<uint4*>(sq + to) = a;
    *reinterpret_cast<uint4*>(sk + to) = b;
    *reinterpret_cast<uint4*>(sv + to) = c;
  }
  __syncthreads();
  const uint32_t lane = threadIdx.x % 32, first = (threadIdx.x / 32) * width;
  const uint32_t g = lane / 4, t = (lane % 4) * 2;
#pragma unroll
  for (int m = 0; m < TILES; m++) {
    // More warps than heads only load and store.
    if (first >= share * 8) break;
    float scores[2 * TILES][4] = {};
    const __half* rows = sq + (m * 16 + g) * stride + first + t;
    for (uint32_t c = 0; c < width; c += 16) {
      const bool whole = c + 8 < width;
      const uint32_t a[4] = {pair_at(rows + c), pair_at(rows + 8 * stride + c), whole ? pair_at(rows + c + 8) : 0,
                             whole ? pair_at(rows + 8 * stride + c + 8) : 0};
#pragma unroll
      for (int n = 0; n < 2 * TILES; n++) {
        const __half* keys = sk + (n * 8 + g) * stride + first + t + c;
        const uint32_t b[2] = {pair_at(keys), whole ? pair_at(keys + 8) : 0};
        multiply_add(scores[n], a, b);
      }
    }
    float high[2] = {-1e30f, -1e30f}, total[2] = {0, 0};
#pragma unroll
    for (int n = 0; n < 2 * TILES; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const uint32_t key = n * 8 + t + i % 2;
        scores[n][i] = key < frames ? scores[n][i] * scale : -1e30f;
        high[i / 2] = fmaxf(high[i / 2], scores[n][i]);
      }
#pragma unroll
    for (int r = 0; r < 2; r++)
      for (int step = 1; step < 4; step *= 2) high[r] = fmaxf(high[r], __shfl_xor_sync(0xffffffffu, high[r], step));
#pragma unroll
    for (int n = 0; n < 2 * TILES; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        scores[n][i] = __expf(scores[n][i] - high[i / 2]);
        total[i / 2] += scores[n][i];
      }
#pragma unroll
    for (int r = 0; r < 2; r++)
      for (int step = 1; step < 4; step *= 2) total[r] += __shfl_xor_sync(0xffffffffu, total[r], step);
    const float share0 = __fdividef(1.0f, total[0]), share1 = __fdividef(1.0f, total[1]);
    // The query rows of this tile and head are no longer needed: the result takes their place.
    __syncwarp();
    for (uint32_t c = 0; c < width; c += 8) {
      float result[4] = {};
#pragma unroll
      for (int n = 0; n < TILES; n++) {
        const float(&low)[4] = scores[2 * n];
        const float(&up)[4] = scores[2 * n + 1];
        const uint32_t a[4] = {pair_of(low[0], low[1]), pair_of(low[2], low[3]), pair_of(up[0], up[1]),
                               pair_of(up[2], up[3])};
        const __half* values = sv + (n * 16 + t) * stride + first + c + g;
        const __half2 v0 = __halves2half2(values[0], values[stride]);
        const __half2 v1 = __halves2half2(values[8 * stride], values[9 * stride]);
        const uint32_t b[2] = {*reinterpret_cast<const uint32_t*>(&v0), *reinterpret_cast<const uint32_t*>(&v1)};
        multiply_add(result, a, b);
      }
      __half* to = sq + (m * 16 + g) * stride + first + c + t;
      *reinterpret_cast<uint32_t*>(to) = pair_of(result[0] * share0, result[1] * share0);
      *reinterpret_cast<uint32_t*>(to + 8 * stride) = pair_of(result[2] * share1, result[3] * share1);
    }
  }
  __syncthreads();
  for (uint32_t i = threadIdx.x; i < frames * share; i += blockDim.x) {
    const uint32_t row = i / share, column = i - row * share;
    out[start + static_cast<size_t>(row) * vectors + column] = *reinterpret_cast<const uint4*>(sq + row * stride + column * 8);
  }
}

/// silu(left) * right of the halves of each row of `in`.
__global__ void __launch_bounds__(256) gated_silu_kernel(const uint4* __restrict__ in, uint4* __restrict__ out,
                                                         uint32_t vectors, uint32_t total) {
  const uint32_t at = blockIdx.x * 256 + threadIdx.x;
  if (at >= total) return;
  const uint32_t row = at / vectors, column = at - row * vectors;
  const uint4* from = in + static_cast<size_t>(row) * 2 * vectors + column;
  Eight a = unpack(__ldg(from));
  const Eight b = unpack(__ldg(from + vectors));
#pragma unroll
  for (int i = 0; i < 8; i++) a.v[i] = silu(a.v[i]) * b.v[i];
  out[at] = pack(a);
}
