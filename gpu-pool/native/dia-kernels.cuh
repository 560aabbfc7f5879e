// Kernels of Dia's decode loop: one frame is nine launches a layer. Activations are half precision, sums float32 in an
// order that depends on nothing but the row's own sizes: a row has the same bits in any company.
#pragma once
#include "kernels.cuh"

#ifdef EMULATE
#define LAUNCH_NEXT LAUNCH
#else
/// As LAUNCH, and the kernel may start before the one in front of it is through: `after_previous` is where it waits.
#define LAUNCH_NEXT(kernel, grid, block, shared, stream, ...) launch_next(kernel, grid, block, shared, stream, __VA_ARGS__)
template <typename... P, typename... A>
void launch_next(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream, A... arguments) {
  static const bool overlaps = [] {
    int device = 0, major = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    return major >= 9;
  }();
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = overlaps ? 1 : 0;
  cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...);
}
#endif

/// Waits until all that the kernels before wrote is there; the next kernel may then take free multiprocessors.
__device__ __forceinline__ void after_previous() {
#if !defined(EMULATE) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Eight weights: read once a frame, so they pass by the first cache. Never moved across `after_previous`.
__device__ __forceinline__ uint4 stream_weights(const __half* at, bool there) {
#ifdef EMULATE
  return there ? emulated::load(reinterpret_cast<const uint4*>(at)) : make_uint4(0, 0, 0, 0);
#else
  uint4 v = {0, 0, 0, 0};
  asm volatile(
      "{\n.reg .pred p;\nsetp.ne.u32 p, %5, 0;\n@p ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];\n}"
      : "+r"(v.x), "+r"(v.y), "+r"(v.z), "+r"(v.w)
      : "l"(at), "r"(static_cast<uint32_t>(there)));
  return v;
#endif
}

/// Eight activations that a kernel of the same frame wrote: from the cache that all multiprocessors share.
__device__ __forceinline__ uint4 shared_eight(const __half* at) { return __ldcg(reinterpret_cast<const uint4*>(at)); }

constexpr uint32_t PRODUCT_THREADS = 256, PRODUCT_WARPS = 8;
/// What all warps of a block take of a row in one turn: 64 numbers each.
constexpr uint32_t TURN = PRODUCT_WARPS * 64;
/// Bytes of activations that a block holds; rows that are longer come in pieces.
constexpr uint32_t STAGE_BYTES = 1 << 16;
/// Halves between the end of a row in shared memory and the next one, which spreads rows over the banks.
constexpr uint32_t STAGE_PADDING = 32;

enum ProductKind { QUERY_KEY_VALUE, PLAIN, RESIDUAL, GATED, LOGITS };

/// out = norm(in) x weights^T for at most 16 rows.
struct Product {
  /// [outputs, width]; three of them for queries, keys and values.
  const __half* weights[3];
  /// Tiles of 16 outputs.
  uint32_t tiles;
  uint32_t outputs;
  uint32_t width;
  uint32_t rows;
  /// Halves of a row that are held at once, a multiple of 4 turns where there is more than one piece.
  uint32_t piece;
  const __half* in;
  /// Root-mean-square norm of the rows; null: they are taken as they are.
  const __half* norm;
  /// Sums of squares of the rows, [rows][parts].
  const float* squares;
  uint32_t parts;
  float epsilon;
  __half* out;
  float* logits;
  /// RESIDUAL adds to `total`, which `out` rounds, and leaves the sums of squares, [rows][blocks].
  float* total;
  float* squares_out;
  /// QUERY_KEY_VALUE: rotates and puts keys and values at `position` of the cache [rows, kv_heads, capacity, dim].
  __half* keys;
  __half* values;
  const float* cos;
  const float* sin;
  uint32_t position, capacity, heads, kv_heads, dim;
};

/// First of the two outputs of a tile's pair `g`, and the row of weights of both.
struct TileRows {
  const __half* low;
  const __half* high;
};

template <int KIND>
__device__ __forceinline__ TileRows tile_rows(const Product& p, uint32_t tile, uint32_t g) {
  const size_t width = p.width;
  if (tile >= p.tiles) return {nullptr, nullptr};
  if (KIND == QUERY_KEY_VALUE) {
    // A pair is what the rotation turns: the same place of a head's two halves.
    const uint32_t in_head = p.dim / 16, head = tile / in_head, first = (tile % in_head) * 8 + g;
    const uint32_t which = head < p.heads ? 0 : head < p.heads + p.kv_heads ? 1 : 2;
    const uint32_t own = head - (which == 0 ? 0 : which == 1 ? p.heads : p.heads + p.kv_heads);
    const __half* low = p.weights[which] + (static_cast<size_t>(own) * p.dim + first) * width;
    return {low, low + static_cast<size_t>(p.dim / 2) * width};
  }
  if (KIND == GATED) {
    const __half* low = p.weights[0] + static_cast<size_t>(tile * 8 + g) * width;
    return {low, low + static_cast<size_t>(p.outputs) * width};
  }
  const uint32_t row = tile * 16 + g;
  const __half* low = p.weights[0] + row * width;
  return {row < p.outputs ? low : nullptr, row + 8 < p.outputs ? low + 8 * width : nullptr};
}

/// Eights of the rows that a thread brings to shared memory at a time.
constexpr int TOGETHER = 4;

/// A piece of the rows, `length` numbers each from `from` on.
struct Piece {
  uint32_t from;
  uint32_t length;
};

__device__ __forceinline__ void read_rows(const Product& p, const Piece& piece, uint32_t base, uint4 (&raw)[TOGETHER]) {
  const uint32_t vectors = piece.length / 8;
#pragma unroll
  for (int u = 0; u < TOGETHER; u++) {
    const uint32_t at = base + u * PRODUCT_THREADS, row = at / vectors, column = at - row * vectors;
    if (row < p.rows) raw[u] = shared_eight(p.in + static_cast<size_t>(row) * p.width + piece.from + column * 8);
  }
}

/// Norms what was read and leaves it in shared memory.
__device__ __forceinline__ void stage_rows(const Product& p, const Piece& piece, uint32_t base, uint4 (&raw)[TOGETHER], const float* scales, __half* staged,
                                           uint32_t stride) {
  const uint32_t vectors = piece.length / 8;
#pragma unroll
  for (int u = 0; u < TOGETHER; u++) {
    const uint32_t at = base + u * PRODUCT_THREADS, row = at / vectors, column = (at - row * vectors) * 8;
    if (row >= p.rows) continue;
    if (p.norm) {
      Eight e = unpack(raw[u]);
      const Eight w = unpack(__ldg(reinterpret_cast<const uint4*>(p.norm + piece.from + column)));
      const float scale = scales[row];
#pragma unroll
      for (int i = 0; i < 8; i++) e.v[i] = e.v[i] * scale * w.v[i];
      raw[u] = pack(e);
    }
    *reinterpret_cast<uint4*>(staged + row * stride + column) = raw[u];
  }
}

/// What becomes of a pair of outputs of one row. @returns the sum of the squares that a residual leaves
template <int KIND>
__device__ __forceinline__ float finish(const Product& p, uint32_t tile, uint32_t g, uint32_t row, float low, float high) {
  if (tile >= p.tiles) return 0;
  if (KIND == QUERY_KEY_VALUE) {
    const uint32_t in_head = p.dim / 16, head = tile / in_head, first = (tile % in_head) * 8 + g, half = p.dim / 2;
    if (head < p.heads + p.kv_heads) {
      const float c = __ldg(p.cos + p.position * half + first), s = __ldg(p.sin + p.position * half + first);
      const float turned = low * c - high * s;
      high = high * c + low * s;
      low = turned;
    }
    __half* to;
    if (head < p.heads) {
      to = p.out + (static_cast<size_t>(row) * p.heads + head) * p.dim;
    } else {
      const uint32_t own = head < p.heads + p.kv_heads ? head - p.heads : head - p.heads - p.kv_heads;
      __half* cache = head < p.heads + p.kv_heads ? p.keys : p.values;
      to = cache + ((static_cast<size_t>(row) * p.kv_heads + own) * p.capacity + p.position) * p.dim;
    }
    to[first] = __float2half_rn(low);
    to[first + half] = __float2half_rn(high);
    return 0;
  }
  if (KIND == GATED) {
    p.out[static_cast<size_t>(row) * p.outputs + tile * 8 + g] = __float2half_rn(silu(low) * high);
    return 0;
  }
  const uint32_t first = tile * 16 + g;
  const size_t at = static_cast<size_t>(row) * p.outputs + first;
  if (KIND == LOGITS) {
    if (first < p.outputs) p.logits[at] = low;
    if (first + 8 < p.outputs) p.logits[at + 8] = high;
    return 0;
  }
  p.out[at] = __float2half_rn(low);
  p.out[at + 8] = __float2half_rn(high);
  if (KIND == RESIDUAL) {
    p.total[at] = low;
    p.total[at + 8] = high;
  }
  return low * low + high * high;
}

/// COLUMNS: eights of rows. The weights are the left factor of the product, 16 outputs a tile; each warp takes every
/// eighth 64 numbers of the rows. Four lanes read 64 bytes of a row of weights, in an order of the sum that suits them.
template <int KIND, int COLUMNS, int TILES, int UNROLL>
__global__ void __launch_bounds__(256, 2) product_kernel(const Product p) {
  static_assert(KIND != RESIDUAL || TILES == 1, "a thread adds to one pair at most");
  SHARED(memory);
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const uint32_t turns = (p.width + TURN - 1) / TURN;
  TileRows rows[TILES];
#pragma unroll
  for (int m = 0; m < TILES; m++) rows[m] = tile_rows<KIND>(p, blockIdx.x * TILES + m, g);
  uint4 weights[UNROLL][TILES][4];
  const auto load = [&](int slot, uint32_t turn) {
    const uint32_t k = turn * TURN + warp * 64 + t * 8;
#pragma unroll
    for (int m = 0; m < TILES; m++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const __half* from = i % 2 == 0 ? rows[m].low : rows[m].high;
        const uint32_t at = k + (i / 2) * 32;
        weights[slot][m][i] = stream_weights(from + at, from && at < p.width);
      }
  };
#pragma unroll
  for (int u = 0; u < UNROLL; u++) load(u, u);
  after_previous();

  float* scales = memory;
  __half* staged = reinterpret_cast<__half*>(memory + 16);
  const uint32_t stride = p.piece + STAGE_PADDING;
  // All that is needed from elsewhere is asked for at once.
  constexpr uint32_t PAIRS = TILES * 8;
  uint4 raw[TOGETHER];
  read_rows(p, {0, min(p.piece, p.width)}, threadIdx.x, raw);
  float before[2] = {};
  if (KIND == RESIDUAL && threadIdx.x < PAIRS * p.rows) {
    const float* at = p.total + static_cast<size_t>(threadIdx.x / PAIRS) * p.outputs + blockIdx.x * 16 + threadIdx.x % PAIRS;
    before[0] = __ldcg(at);
    before[1] = __ldcg(at + 8);
  }
  if (p.norm) {
    for (uint32_t row = warp; row < p.rows; row += PRODUCT_WARPS) {
      float sum = 0;
      for (uint32_t part = lane; part < p.parts; part += 32) sum += __ldcg(p.squares + row * p.parts + part);
      sum = warp_sum(sum);
      if (lane == 0) scales[row] = rsqrtf(sum / p.width + p.epsilon);
    }
    __syncthreads();
  }
  float sums[TILES][COLUMNS][4] = {};
  uint32_t start = 0;
  for (uint32_t first = 0; first < turns; first += UNROLL) {
    if (first * TURN % p.piece == 0) {
      if (first > 0) __syncthreads();
      start = first * TURN;
      const Piece piece = {start, min(p.piece, p.width - start)};
      for (uint32_t base = threadIdx.x; base < p.rows * (piece.length / 8); base += PRODUCT_THREADS * TOGETHER) {
        if (first > 0 || base >= PRODUCT_THREADS) read_rows(p, piece, base, raw);
        stage_rows(p, piece, base, raw, scales, staged, stride);
      }
      __syncthreads();
    }
#pragma unroll
    for (int u = 0; u < UNROLL; u++) {
      const uint32_t turn = first + u;
      if (turn >= turns) break;
      const uint32_t k = turn * TURN + warp * 64 + t * 8;
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const uint32_t at = k + half * 32;
        uint4 b[COLUMNS];
#pragma unroll
        for (int n = 0; n < COLUMNS; n++)
          b[n] = n * 8 + g < p.rows && at < p.width ? *reinterpret_cast<const uint4*>(staged + (n * 8 + g) * stride + at - start)
                                                    : make_uint4(0, 0, 0, 0);
#pragma unroll
        for (int m = 0; m < TILES; m++) {
          const uint4 low = weights[u][m][half * 2], high = weights[u][m][half * 2 + 1];
          const uint32_t a0[4] = {low.x, high.x, low.y, high.y}, a1[4] = {low.z, high.z, low.w, high.w};
#pragma unroll
          for (int n = 0; n < COLUMNS; n++) {
            const uint32_t b0[2] = {b[n].x, b[n].y}, b1[2] = {b[n].z, b[n].w};
            multiply_add(sums[m][n], a0, b0);
            multiply_add(sums[m][n], a1, b1);
          }
        }
      }
      if (turn + UNROLL < turns) load(u, turn + UNROLL);
    }
  }

  // The warps' shares meet in shared memory, [warps][outputs][rows].
  constexpr uint32_t LINE = COLUMNS * 8 + 1, OUTPUTS = TILES * 16;
  __syncthreads();
#pragma unroll
  for (int m = 0; m < TILES; m++)
#pragma unroll
    for (int n = 0; n < COLUMNS; n++)
#pragma unroll
      for (int i = 0; i < 4; i++)
        memory[(warp * OUTPUTS + m * 16 + g + (i / 2) * 8) * LINE + n * 8 + t * 2 + i % 2] = sums[m][n][i];
  __syncthreads();
  float* squares = memory + PRODUCT_WARPS * OUTPUTS * LINE;
  for (uint32_t item = threadIdx.x; item < PAIRS * p.rows; item += PRODUCT_THREADS) {
    const uint32_t row = item / PAIRS, pair = item % PAIRS, output = pair / 8 * 16 + pair % 8;
    float low = 0, high = 0;
#pragma unroll
    for (uint32_t w = 0; w < PRODUCT_WARPS; w++) {
      low += memory[(w * OUTPUTS + output) * LINE + row];
      high += memory[(w * OUTPUTS + output + 8) * LINE + row];
    }
    if (KIND == RESIDUAL) {
      low += before[0];
      high += before[1];
    }
    const float square = finish<KIND>(p, blockIdx.x * TILES + pair / 8, pair % 8, row, low, high);
    if (KIND == RESIDUAL) squares[item] = square;
  }
  if (KIND == RESIDUAL) {
    __syncthreads();
    const uint32_t blocks = (p.tiles + TILES - 1) / TILES;
    if (threadIdx.x < p.rows) {
      float sum = 0;
      for (uint32_t i = 0; i < PAIRS; i++) sum += squares[threadIdx.x * PAIRS + i];
      p.squares_out[threadIdx.x * blocks + blockIdx.x] = sum;
    }
  }
}

/// Keys that a block of attention takes.
constexpr uint32_t KEYS = 128;
constexpr uint32_t NO_KEY = 0xffffffffu;

/// Attention of one row's heads to `length` keys, in chunks; the block that is last puts them together.
struct Attention {
  /// [rows, kv_heads * GROUP, dim]
  const __half* q;
  /// A head's keys lie together: halves from row to row and from head to head.
  const __half* keys;
  const __half* values;
  size_t row_stride, head_stride;
  uint32_t length, chunks, kv_heads;
  /// The key that the kernel before made; NO_KEY: all are there already.
  uint32_t fresh;
  /// [rows, length]: 0 where a key is not to be seen; may be null.
  const float* mask;
  /// [rows, kv_heads, chunks, GROUP, dim + 2]: sums, and the largest score and the sum of the weights.
  float* partial;
  /// [rows, kv_heads]: zero before and after.
  uint32_t* counters;
  __half* out;
  /// Shares of `head` in the rows before `told`, [told, length], over the scores that are kept there first.
  float* shares;
  uint32_t head, told;
};

template <int GROUP, int LANES>
__global__ void __launch_bounds__(256) row_attention_kernel(const Attention a) {
  SHARED(memory);
  constexpr uint32_t DIM = LANES * 8, SLOTS = 256 / LANES, WIDE = GROUP * DIM;
  constexpr int TURNS = (KEYS + SLOTS - 1) / SLOTS;
  constexpr uint32_t LINE = DIM + 2;
  const uint32_t chunk = blockIdx.x, head = blockIdx.y, row = blockIdx.z;
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const uint32_t slot = threadIdx.x / LANES, part = (threadIdx.x % LANES) * 8;
  const size_t base = row * a.row_stride + head * a.head_stride + part;
  const uint32_t first = chunk * KEYS;
  uint4 k[TURNS], v[TURNS];
#pragma unroll
  for (int i = 0; i < TURNS; i++) {
    const uint32_t key = first + i * SLOTS + slot;
    const bool there = i * SLOTS + slot < KEYS && key < a.length && key != a.fresh;
    k[i] = there ? shared_eight(a.keys + base + static_cast<size_t>(key) * DIM) : make_uint4(0, 0, 0, 0);
    v[i] = there ? shared_eight(a.values + base + static_cast<size_t>(key) * DIM) : make_uint4(0, 0, 0, 0);
  }
  after_previous();
#pragma unroll
  for (int i = 0; i < TURNS; i++) {
    if (i * SLOTS + slot >= KEYS || first + i * SLOTS + slot != a.fresh) continue;
    k[i] = shared_eight(a.keys + base + static_cast<size_t>(a.fresh) * DIM);
    v[i] = shared_eight(a.values + base + static_cast<size_t>(a.fresh) * DIM);
  }
  const size_t heads = static_cast<size_t>(row) * a.kv_heads + head;
  float* scores = memory;  // [GROUP][KEYS]
  float* totals = scores + GROUP * KEYS;  // [GROUP][2]
  float* sums = totals + 2 * GROUP;  // [8 warps][GROUP][DIM]
  {
    Eight q[GROUP];
#pragma unroll
    for (int j = 0; j < GROUP; j++) q[j] = unpack(shared_eight(a.q + (heads * GROUP + j) * DIM + part));
#pragma unroll
    for (int i = 0; i < TURNS; i++) {
      const Eight e = unpack(k[i]);
      const uint32_t own = i * SLOTS + slot, key = first + own;
#pragma unroll
      for (int j = 0; j < GROUP; j++) {
        float dot = 0;
#pragma unroll
        for (int x = 0; x < 8; x++) dot = fmaf(q[j].v[x], e.v[x], dot);
#pragma unroll
        for (int step = LANES / 2; step > 0; step /= 2) dot += __shfl_xor_sync(0xffffffffu, dot, step);
        if (part == 0 && own < KEYS) {
          float score = -1e30f;
          if (key < a.length) score = a.mask ? dot + (__ldg(a.mask + static_cast<size_t>(row) * a.length + key) - 1.0f) * 30000.0f : dot;
          scores[j * KEYS + own] = score;
          if (GROUP == 1 && a.shares && head == a.head && row < a.told && key < a.length)
            a.shares[static_cast<size_t>(row) * a.length + key] = score;
        }
      }
    }
  }
  __syncthreads();
  if (warp < GROUP) {
    float* own = scores + warp * KEYS;
    float high = -1e30f, total = 0;
#pragma unroll
    for (uint32_t i = 0; i < KEYS / 32; i++) high = fmaxf(high, own[i * 32 + lane]);
#pragma unroll
    for (int step = 16; step > 0; step /= 2) high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, step));
#pragma unroll
    for (uint32_t i = 0; i < KEYS / 32; i++) {
      const bool there = first + i * 32 + lane < a.length;
      const float weight = there ? __expf(own[i * 32 + lane] - high) : 0.0f;
      own[i * 32 + lane] = weight;
      total += weight;
    }
    total = warp_sum(total);
    if (lane == 0) {
      totals[warp * 2] = high;
      totals[warp * 2 + 1] = total;
    }
  }
  __syncthreads();
  Eight mixed[GROUP] = {};
#pragma unroll
  for (int i = 0; i < TURNS; i++) {
    const Eight e = unpack(v[i]);
    const uint32_t own = i * SLOTS + slot;
#pragma unroll
    for (int j = 0; j < GROUP; j++) {
      const float weight = own < KEYS ? scores[j * KEYS + own] : 0.0f;
#pragma unroll
      for (int x = 0; x < 8; x++) mixed[j].v[x] = fmaf(weight, e.v[x], mixed[j].v[x]);
    }
  }
#pragma unroll
  for (int j = 0; j < GROUP; j++)
#pragma unroll
    for (int x = 0; x < 8; x++) {
#pragma unroll
      for (int step = LANES; step < 32; step *= 2) mixed[j].v[x] += __shfl_xor_sync(0xffffffffu, mixed[j].v[x], step);
      if (lane < LANES) sums[(warp * GROUP + j) * DIM + part + x] = mixed[j].v[x];
    }
  __syncthreads();
  float* partial = a.partial + heads * a.chunks * GROUP * LINE;
  float* own = partial + static_cast<size_t>(chunk) * GROUP * LINE;
  for (uint32_t i = threadIdx.x; i < WIDE; i += 256) {
    float sum = 0;
#pragma unroll
    for (uint32_t w = 0; w < 8; w++) sum += sums[w * WIDE + i];
    // One chunk alone: what putting it together would give.
    if (a.chunks == 1)
      a.out[heads * WIDE + i] = __float2half_rn(__fdividef(sum, totals[(i / DIM) * 2 + 1]));
    else
      own[(i / DIM) * LINE + i % DIM] = sum;
  }
  if (a.chunks == 1) {
    if (GROUP == 1 && a.shares && head == a.head && row < a.told)
      for (uint32_t i = threadIdx.x; i < a.length; i += 256) a.shares[static_cast<size_t>(row) * a.length + i] = __fdividef(scores[i], totals[1]);
    return;
  }
  if (threadIdx.x < 2 * GROUP) own[(threadIdx.x / 2) * LINE + DIM + threadIdx.x % 2] = totals[threadIdx.x];

  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) memory[0] = atomicAdd(a.counters + heads, 1u) + 1 == a.chunks ? 1.0f : 0.0f;
  __syncthreads();
  if (memory[0] == 0.0f) return;
  __threadfence();
  if (threadIdx.x == 0) a.counters[heads] = 0;
  float high = -1e30f, total = 0;
  for (uint32_t i = threadIdx.x; i < WIDE; i += 256) {
    const float* from = partial + (i / DIM) * LINE;
    high = -1e30f;
    for (uint32_t c = 0; c < a.chunks; c++) high = fmaxf(high, __ldcg(from + static_cast<size_t>(c) * GROUP * LINE + DIM));
    float sum = 0;
    total = 0;
    for (uint32_t c = 0; c < a.chunks; c++) {
      const float* of = from + static_cast<size_t>(c) * GROUP * LINE;
      const float weight = __expf(__ldcg(of + DIM) - high);
      sum = fmaf(weight, __ldcg(of + i % DIM), sum);
      total = fmaf(weight, __ldcg(of + DIM + 1), total);
    }
    a.out[heads * WIDE + i] = __float2half_rn(__fdividef(sum, total));
  }
  if (GROUP == 1 && a.shares && head == a.head && row < a.told) {
    // Threads beyond the head's size had no sums of their own to make.
    high = -1e30f;
    for (uint32_t c = 0; c < a.chunks; c++) high = fmaxf(high, __ldcg(partial + static_cast<size_t>(c) * LINE + DIM));
    total = 0;
    for (uint32_t c = 0; c < a.chunks; c++) {
      const float* of = partial + static_cast<size_t>(c) * LINE;
      total = fmaf(__expf(__ldcg(of + DIM) - high), __ldcg(of + DIM + 1), total);
    }
    float* shares = a.shares + static_cast<size_t>(row) * a.length;
    for (uint32_t i = threadIdx.x; i < a.length; i += 256) shares[i] = __fdividef(__expf(__ldcg(shares + i) - high), total);
  }
}

/// How tokens are drawn: inputs of one frame and what all frames share.
struct Draw {
  /// [2 * dialogues, channels, vocab]: the conditional rows first.
  const float* logits;
  /// Of this frame: [dialogues, channels] and [dialogues, channels, candidates].
  const int64_t* forced;
  const float* gumbel;
  /// [3, dialogues]: guidance scale, 1 / temperature, top-p.
  const float* params;
  int64_t* drawn;
  uint32_t dialogues, channels, vocab, candidates;
  int64_t eos;
};

constexpr float MASKED = -1e30f;
constexpr uint32_t DRAW_THREADS = 1024;

/// The larger of two values, the earlier of equal ones.
struct Best {
  float value;
  uint32_t at;
  __device__ __forceinline__ void take(float other, uint32_t where) {
    if (other > value || (other == value && where < at)) {
      value = other;
      at = where;
    }
  }
  __device__ __forceinline__ void across_warp() {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
      const float other = __shfl_xor_sync(0xffffffffu, value, step);
      const uint32_t where = __shfl_xor_sync(0xffffffffu, at, step);
      take(other, where);
    }
  }
};

/// A whole number in the order of the float's.
__device__ __forceinline__ uint32_t ordered(float value) {
  const uint32_t bits = __float_as_uint(value + 0.0f);
  return bits >> 31 ? ~bits : bits | 1u << 31;
}

__device__ __forceinline__ float legal_score(const Draw& d, const float* logits, uint32_t channel, uint32_t token) {
  const float score = __ldcg(logits + token);
  const bool legal = token < d.eos || (channel == 0 && token == d.eos);
  return legal ? score : score + MASKED;
}

/// One token: guidance chooses the candidates, the conditional scores are drawn from (dia-sampler.ts has the rules).
__global__ void __launch_bounds__(1024) draw_kernel(const Draw d) {
  SHARED(memory);
  const uint32_t channel = blockIdx.x, dialogue = blockIdx.y;
  float* guided = memory;
  float* scores = guided + d.vocab;
  float* sorted = scores + d.candidates;
  uint32_t* index = reinterpret_cast<uint32_t*>(sorted + d.candidates);
  uint32_t* order = index + d.candidates;
  uint32_t* reached = order + d.candidates;
  uint32_t* found = reached + d.vocab;
  after_previous();
  const float* cond = d.logits + (static_cast<size_t>(dialogue) * d.channels + channel) * d.vocab;
  const float* uncond = cond + static_cast<size_t>(d.dialogues) * d.channels * d.vocab;
  const float scale = __ldg(d.params + dialogue);
  for (uint32_t i = threadIdx.x; i < d.vocab; i += DRAW_THREADS) {
    const float c = __ldcg(cond + i), u = __ldcg(uncond + i);
    guided[i] = __fadd_rn(c, __fmul_rn(scale, c - u));
  }
  if (threadIdx.x == 0) *found = 0;
  __syncthreads();
  // The last candidate's key, bit by bit; then the few that reach it are put in order.
  uint32_t least = 0;
  for (uint32_t bit = 1u << 31; bit > 0; bit >>= 1) {
    uint32_t reach = 0;
    for (uint32_t base = 0; base < d.vocab; base += DRAW_THREADS) {
      const uint32_t i = base + threadIdx.x;
      reach += __syncthreads_count(i < d.vocab && ordered(guided[i]) >= (least | bit));
    }
    if (reach >= d.candidates) least |= bit;
  }
  for (uint32_t i = threadIdx.x; i < d.vocab; i += DRAW_THREADS)
    if (ordered(guided[i]) >= least) reached[atomicAdd(found, 1u)] = i;
  __syncthreads();
  for (uint32_t i = threadIdx.x; i < *found; i += DRAW_THREADS) {
    const uint32_t own = reached[i];
    const uint32_t key = ordered(guided[own]);
    uint32_t rank = 0;
#pragma unroll 4
    for (uint32_t j = 0; j < *found; j++) {
      const uint32_t other = ordered(guided[reached[j]]);
      rank += other > key || (other == key && reached[j] < own);
    }
    if (rank < d.candidates) index[rank] = own;
  }
  __syncthreads();
  if (threadIdx.x >= 32) return;
  const uint32_t lane = threadIdx.x, count = d.candidates;
  Best best = {-INFINITY, 0xffffffffu};
  for (uint32_t i = lane; i < count; i += 32) {
    scores[i] = legal_score(d, cond, channel, index[i]);
    best.take(scores[i], i);
  }
  best.across_warp();
  // Scores that are no numbers are never the best.
  const bool ends = index[min(best.at, count - 1)] == d.eos;
  const float inverse = __ldg(d.params + d.dialogues + dialogue), top_p = __ldg(d.params + 2 * d.dialogues + dialogue);
  for (uint32_t i = lane; i < count; i += 32) {
    scores[i] = (ends != (index[i] == d.eos) ? MASKED : scores[i]) * inverse;
    order[i] = i;
  }
  __syncwarp();
  for (uint32_t i = lane; i < count; i += 32) {
    uint32_t rank = 0;
    for (uint32_t j = 0; j < count; j++) rank += scores[j] > scores[i] || (scores[j] == scores[i] && j < i);
    sorted[rank] = scores[i];
    order[rank] = i;
  }
  __syncwarp();
  const float high = sorted[0];
  for (uint32_t i = lane; i < count; i += 32) scores[i] = expf(sorted[i] - high);
  __syncwarp();
  float total = 0, sum = 0;
#pragma unroll 8
  for (uint32_t i = 0; i < count; i++) total += scores[i];
  __syncwarp();
  for (uint32_t i = lane; i < count; i += 32) scores[i] = scores[i] / total;
  __syncwarp();
  const float* gumbel = d.gumbel + (static_cast<size_t>(dialogue) * d.channels + channel) * count;
  Best drawn = {-INFINITY, 0xffffffffu};
#pragma unroll 8
  for (uint32_t i = 0; i < count; i++) {
    const float chance = scores[i];
    sum += chance;
    if (i % 32 == lane) drawn.take((sum - chance > top_p ? MASKED : sorted[i]) + __ldg(gumbel + i), i);
  }
  drawn.across_warp();
  int64_t token = index[order[min(drawn.at, count - 1)]];
  if (high < MASKED / 2) {
    Best legal = {-INFINITY, 0xffffffffu};
    for (uint32_t i = lane; i < d.vocab; i += 32) legal.take(legal_score(d, cond, channel, i), i);
    legal.across_warp();
    token = min(legal.at, d.vocab - 1);
  }
  const uint32_t at = dialogue * d.channels + channel;
  const int64_t forced = __ldg(d.forced + at);
  if (lane == 0) d.drawn[at] = forced < 0 ? token : forced;
}

/// Ends dialogues by the delay pattern and makes the rows of the next frame.
struct Embed {
  const int64_t* drawn;
  /// [dialogues]: frames since channel 0 ended, -1 while it speaks. Null: the tokens are what they are.
  const int64_t* ending;
  const int64_t* delays;
  int64_t* tokens;
  int64_t* next_ending;
  /// [channels * vocab, 8 * vectors]
  const __half* table;
  __half* x;
  /// The rows before they are rounded.
  float* total;
  /// [rows][blocks]
  float* squares;
  uint32_t dialogues, channels, vocab, vectors, blocks;
  int64_t eos, pad;
};

__global__ void __launch_bounds__(32) embed_kernel(const Embed e) {
  const uint32_t dialogue = blockIdx.y, lane = threadIdx.x, column = blockIdx.x * 32 + lane;
  after_previous();
  const int64_t* drawn = e.drawn + dialogue * e.channels;
  int64_t since = -1;
  if (e.ending) {
    since = __ldcg(e.ending + dialogue);
    if (since < 0 && __ldcg(drawn) == e.eos) since = 0;
    if (blockIdx.x == 0 && lane == 0) e.next_ending[dialogue] = since < 0 ? since : since + 1;
  }
  Eight sum = {};
  for (uint32_t c = 0; c < e.channels; c++) {
    int64_t token = __ldcg(drawn + c);
    if (since >= 0) {
      const int64_t delay = __ldg(e.delays + c);
      if (delay <= since) token = delay < since ? e.pad : e.eos;
    }
    if (blockIdx.x == 0 && lane == 0 && e.ending) e.tokens[dialogue * e.channels + c] = token;
    if (column >= e.vectors) continue;
    const size_t row = static_cast<size_t>(c) * e.vocab + token;
    const Eight part = unpack(__ldg(reinterpret_cast<const uint4*>(e.table) + row * e.vectors + column));
#pragma unroll
    for (int i = 0; i < 8; i++) sum.v[i] += part.v[i];
  }
  const uint4 packed = pack(sum);
  float square = 0;
#pragma unroll
  for (int i = 0; i < 8; i++) square = fmaf(sum.v[i], sum.v[i], square);
  square = warp_sum(square);
  for (uint32_t row = dialogue; row < 2 * e.dialogues; row += e.dialogues) {
    if (column < e.vectors) {
      const size_t at = static_cast<size_t>(row) * e.vectors + column;
      reinterpret_cast<uint4*>(e.x)[at] = packed;
#pragma unroll
      for (int i = 0; i < 8; i++) e.total[at * 8 + i] = sum.v[i];
    }
    if (lane == 0) e.squares[row * e.blocks + blockIdx.x] = square;
  }
}
