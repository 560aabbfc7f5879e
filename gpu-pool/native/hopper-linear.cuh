// The first half of a gated feed-forward on Hopper's tensor cores (sm_90a), which never writes values and gates: half
// precision, sums in float32 and in a fixed order.
//
// A pair of blocks (a cluster) takes 2 x 128 rows and the same 128 columns of values and of gates: each block loads its
// own rows and half of the weights, which the other block receives as well. One thread of a block loads ahead through a ring of stages, two
// groups of four warps multiply 64 rows each. The scheme is that of CUTLASS's warp-specialized cooperative kernels.
#pragma once
#ifndef EMULATE
#include <cuda.h>
#endif
#include <cuda_fp16.h>
#include <stdint.h>

#include "kernels.cuh"

namespace hopper {

constexpr int ROWS = 128, COLUMNS = 256, DEPTH = 64, STAGES = 4, BOX = 64, BOXES = COLUMNS / BOX;
constexpr int THREADS = 384;

/// Whether the sizes fit: depth in blocks of 64, results in two boxes of 64 columns.
inline bool fits(int64_t depth, int64_t width) { return depth % DEPTH == 0 && width % (2 * BOX) == 0; }

#ifdef EMULATE
/// The same numbers, one after the other.
inline const char* gated_linear(cudaStream_t, const void* x, int64_t rows, int64_t depth, const void* weights, void* result,
                                int64_t width, const void* bias) {
  const auto half_at = [](const void* from, int64_t at) {
    return __half2float(emulated::load(static_cast<const __half*>(from) + at));
  };
  const auto product = [&](int64_t row, int64_t column) {
    float sum = half_at(bias, column);
    for (int64_t k = 0; k < depth; k++) sum += half_at(x, row * depth + k) * half_at(weights, column * depth + k);
    return sum;
  };
  for (int64_t row = 0; row < rows; row++)
    for (int64_t column = 0; column < width; column++)
      static_cast<__half*>(result)[row * width + column] = __float2half(product(row, column) * gelu(product(row, width + column)));
  return nullptr;
}
#else
constexpr uint32_t STAGE_BYTES = (ROWS + COLUMNS) * DEPTH * 2;
/// Pairs of row tiles whose columns are worked off together, so that both operands stay in the L2 cache.
constexpr uint32_t PAIRS_TOGETHER = 8;

struct Maps {
  CUtensorMap rows, weights, result;
};

struct Sizes {
  uint32_t depth_blocks, row_pairs, column_tiles;
  /// Columns of the result.
  uint32_t width;
};

struct Shared {
  __half rows[STAGES][ROWS * DEPTH];
  __half weights[STAGES][COLUMNS * DEPTH];
  __half out[2][2][BOX * BOX];
  uint64_t full[STAGES], empty[STAGES];
};
/// The ring must start at a multiple of 1024 bytes: the pattern in which a stage is swizzled.
constexpr size_t SHARED_BYTES = sizeof(Shared) + 1024;

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

__device__ __forceinline__ uint32_t address(const void* at) { return static_cast<uint32_t>(__cvta_generic_to_shared(at)); }

__device__ __forceinline__ void init_barrier(uint64_t* bar, uint32_t count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address(bar)), "r"(count));
}

__device__ __forceinline__ void wait_for(uint64_t* bar, uint32_t parity) {
  asm volatile(
      "{\n.reg .pred done;\n"
      "AGAIN:\nmbarrier.try_wait.parity.acquire.cta.shared::cta.b64 done, [%0], %1;\n"
      "@done bra.uni DONE;\nbra.uni AGAIN;\nDONE:\n}" ::"r"(address(bar)),
      "r"(parity)
      : "memory");
}

__device__ __forceinline__ void expect_bytes(uint64_t* bar, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address(bar)), "r"(bytes) : "memory");
}

/// Arrives at the barrier of the same place in block `rank` of the cluster. Nothing but reads of the tensor cores comes
/// before it: a release for the whole cluster would cost a memory barrier each time.
__device__ __forceinline__ void arrive_at(uint64_t* bar, uint32_t rank) {
  asm volatile(
      "{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [there];\n}" ::"r"(address(bar)),
      "r"(rank)
      : "memory");
}

__device__ __forceinline__ uint32_t cluster_rank() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

__device__ __forceinline__ void cluster_barrier() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}

__device__ __forceinline__ void load_box(__half* to, const CUtensorMap* map, uint64_t* bar, uint32_t column, uint32_t row) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
          address(to)),
      "l"(map), "r"(address(bar)), "r"(column), "r"(row)
      : "memory");
}

/// Into the same place of both blocks of the cluster.
__device__ __forceinline__ void load_box_for_both(__half* to, const CUtensorMap* map, uint64_t* bar, uint32_t column,
                                                  uint32_t row) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, "
      "{%3, %4}], [%2], %5;" ::"r"(address(to)),
      "l"(map), "r"(address(bar)), "r"(column), "r"(row), "h"(static_cast<uint16_t>(3))
      : "memory");
}

__device__ __forceinline__ void store_box(const CUtensorMap* map, const __half* from, uint32_t column, uint32_t row) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%2, %3}], [%1];" ::"l"(map),
               "r"(address(from)), "r"(column), "r"(row)
               : "memory");
}

/// Describes a tile of rows of 64 halves, swizzled over 128 bytes, in groups of eight rows.
__device__ __forceinline__ uint64_t describe(const __half* tile) {
  const uint64_t at = (address(tile) & 0x3ffff) >> 4;
  return at | (uint64_t{1} << 16) | (uint64_t{1024 >> 4} << 32) | (uint64_t{1} << 62);
}

#define FLOATS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define FLOATS_16(i) FLOATS_4(i), FLOATS_4(i + 4), FLOATS_4(i + 8), FLOATS_4(i + 12)
#define FLOATS_64(i) FLOATS_16(i), FLOATS_16(i + 16), FLOATS_16(i + 32), FLOATS_16(i + 48)

/// d += a x b of four warps: 64x16 by 16x256; with `fresh` d = a x b.
__device__ __forceinline__ void multiply_wide(float (&d)[128], uint64_t a, uint64_t b, bool fresh) {
  asm volatile(
      "{\n.reg .pred more;\nsetp.eq.u32 more, %130, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
      "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "
      "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127}, "
      "%128, %129, more, 1, 1, 0, 0;\n}"
      : FLOATS_64(0), FLOATS_64(64)
      : "l"(a), "l"(b), "r"(fresh ? 1u : 0u));
}

template <int LEFT>
__device__ __forceinline__ void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory");
}

/// Keeps the compiler from reading the sums before they are there.
__device__ __forceinline__ void settle(float (&d)[128]) {
#pragma unroll
  for (int i = 0; i < 128; i++) asm volatile("" : "+f"(d[i])::"memory");
}

/**
 * x times the normal distribution function of x as (x + x tanh(x p(x^2))) / 2, with p fitted to the error function: within
 * 3e-5, to which the approximation of tanh adds half a unit in the last place of half precision. A third of the
 * instructions of `gelu`, which are what the end of a tile waits for.
 */
__device__ __forceinline__ float short_gelu(float x) {
  const float z = fminf(x * x, 36.0f);
  const float p = fmaf(z, fmaf(z, -3.58868465e-4f, 3.70510403e-2f), 7.97457813e-1f);
  float t;
  asm("tanh.approx.f32 %0, %1;" : "=f"(t) : "f"(x * p));
  const float half = 0.5f * x;
  return fmaf(half, t, half);
}

__device__ __forceinline__ uint32_t halves(float a, float b) {
  const __half2 h = __floats2half2_rn(a, b);
  return *reinterpret_cast<const uint32_t*>(&h);
}

/// Sixteen columns of a warp's 16 rows to a box of 64 rows and columns, swizzled over 128 bytes.
__device__ __forceinline__ void put(__half* box, uint32_t warp, uint32_t lane, uint32_t pair, const uint32_t (&v)[4]) {
  const uint32_t row = warp * 16 + lane % 16, chunk = pair * 2 + lane / 16;
  const uint32_t at = address(box) + row * 128 + ((chunk ^ (row & 7)) * 16);
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(at), "r"(v[0]), "r"(v[1]), "r"(v[2]),
               "r"(v[3])
               : "memory");
}

__device__ __forceinline__ void group_barrier(uint32_t group) {
  asm volatile("bar.sync %0, 128;" ::"r"(group + 1) : "memory");
}

/// The row of the weights that a box of tile `tile` begins with: values and gates of the same 128 columns lie side by side.
__device__ __forceinline__ uint32_t weight_row(const Sizes& s, uint32_t tile, uint32_t box) {
  const uint32_t column = tile * (COLUMNS / 2) + (box % 2) * BOX;
  return box < 2 ? column : s.width + column;
}

__device__ __forceinline__ void produce(const Maps& maps, const Sizes& s, Shared& m) {
  const uint32_t rank = cluster_rank(), tiles = s.row_pairs * s.column_tiles;
  uint32_t stage = 0, phase = 0;
  for (uint32_t tile = blockIdx.x / 2; tile < tiles; tile += gridDim.x / 2) {
    const uint32_t together = PAIRS_TOGETHER * s.column_tiles, first = tile / together * PAIRS_TOGETHER;
    const uint32_t pairs = min(PAIRS_TOGETHER, s.row_pairs - first), inside = tile % together;
    const uint32_t row = ((first + inside % pairs) * 2 + rank) * ROWS, column = inside / pairs;
    const uint32_t row0 = weight_row(s, column, rank * 2), row1 = weight_row(s, column, rank * 2 + 1);
    for (uint32_t k = 0; k < s.depth_blocks; k++) {
      wait_for(&m.empty[stage], phase ^ 1);
      expect_bytes(&m.full[stage], STAGE_BYTES);
      load_box(m.rows[stage], &maps.rows, &m.full[stage], k * DEPTH, row);
      __half* weights = m.weights[stage] + rank * 2 * BOX * DEPTH;
      load_box_for_both(weights, &maps.weights, &m.full[stage], k * DEPTH, row0);
      load_box_for_both(weights + BOX * DEPTH, &maps.weights, &m.full[stage], k * DEPTH, row1);
      if (++stage == STAGES) stage = 0, phase ^= 1;
    }
  }
}

/// Two boxes of results of a group of warps: their values in the order of the accumulators, sixteen columns at a time.
template <typename Values>
__device__ __forceinline__ void put_boxes(Shared& m, uint32_t group, Values values) {
  const uint32_t warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32;
  if (threadIdx.x % 128 == 0) asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
  group_barrier(group);
#pragma unroll
  for (int pair = 0; pair < 8; pair++) {
    uint32_t v[4];
    values(pair, v);
    put(m.out[group][pair / 4], warp, lane, pair % 4, v);
  }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  group_barrier(group);
}

__device__ __forceinline__ void consume(const Maps& maps, const Sizes& s, const __half* bias, Shared& m, uint32_t group) {
  const uint32_t rank = cluster_rank(), tiles = s.row_pairs * s.column_tiles;
  const bool elected = threadIdx.x % 128 == 0;
  uint32_t stage = 0, phase = 0;
  const auto release = [&](uint32_t which) {
    if (threadIdx.x % 128 < 2) arrive_at(&m.empty[which], threadIdx.x % 128);
  };
  for (uint32_t tile = blockIdx.x / 2; tile < tiles; tile += gridDim.x / 2) {
    const uint32_t together = PAIRS_TOGETHER * s.column_tiles, first = tile / together * PAIRS_TOGETHER;
    const uint32_t pairs = min(PAIRS_TOGETHER, s.row_pairs - first), inside = tile % together;
    const uint32_t row = ((first + inside % pairs) * 2 + rank) * ROWS + group * 64, column = inside / pairs;
    const uint32_t t = threadIdx.x % 4 * 2;
    __half2 values[16], gates[16];
    // Read before the products, so that nothing waits for them after.
#pragma unroll
    for (int j = 0; j < 16; j++) {
      const __half* at = bias + column * (COLUMNS / 2) + j * 8 + t;
      values[j] = __ldg(reinterpret_cast<const __half2*>(at));
      gates[j] = __ldg(reinterpret_cast<const __half2*>(at + s.width));
    }
    float d[128];
    uint32_t before = 0;
    for (uint32_t k = 0; k < s.depth_blocks; k++) {
      wait_for(&m.full[stage], phase);
      asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
      const uint64_t a = describe(m.rows[stage] + group * 64 * DEPTH), b = describe(m.weights[stage]);
      // Sixteen halves further are 32 bytes, in units of 16.
#pragma unroll
      for (int part = 0; part < DEPTH / 16; part++) multiply_wide(d, a + part * 2, b + part * 2, k == 0 && part == 0);
      asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
      wait_for_products<1>();
      if (k > 0) release(before);
      before = stage;
      if (++stage == STAGES) stage = 0, phase ^= 1;
    }
    wait_for_products<0>();
    settle(d);
    release(before);
    put_boxes(m, group, [&](int pair, uint32_t (&v)[4]) {
#pragma unroll
      for (int j = 0; j < 2; j++) {
        const int at = (pair * 2 + j) * 4;
        const float2 add = __half22float2(values[pair * 2 + j]), gate = __half22float2(gates[pair * 2 + j]);
        v[j * 2] = halves((d[at] + add.x) * short_gelu(d[at + 64] + gate.x), (d[at + 1] + add.y) * short_gelu(d[at + 65] + gate.y));
        v[j * 2 + 1] = halves((d[at + 2] + add.x) * short_gelu(d[at + 66] + gate.x),
                              (d[at + 3] + add.y) * short_gelu(d[at + 67] + gate.y));
      }
    });
    if (elected) {
      store_box(&maps.result, m.out[group][0], column * (COLUMNS / 2), row);
      store_box(&maps.result, m.out[group][1], column * (COLUMNS / 2) + BOX, row);
      asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    }
  }
  if (elected) asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}
#endif

// Older cards have no clusters, and their code has no use for this kernel.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define IN_PAIRS __cluster_dims__(2, 1, 1)
#else
#define IN_PAIRS
#endif

/// result = (rows x values + bias) * gelu(rows x gates + bias), the weights being [values; gates].
__global__ void IN_PAIRS __launch_bounds__(THREADS, 1)
    gated_linear_kernel(const __grid_constant__ Maps maps, Sizes s, const __half* bias) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ uint8_t raw[];
  Shared& m = *reinterpret_cast<Shared*>(raw + (1024 - address(raw) % 1024) % 1024);
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; i++) {
      init_barrier(&m.full[i], 1);
      // Both groups of both blocks.
      init_barrier(&m.empty[i], 4);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  cluster_barrier();
  if (threadIdx.x < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
    if (threadIdx.x == 0) produce(maps, s, m);
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
    consume(maps, s, bias, m, threadIdx.x / 128 - 1);
  }
  // The other block may still write to this one's barriers.
  cluster_barrier();
#endif
}

using Encode = CUresult (*)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*, const cuuint64_t*,
                            const cuuint32_t*, const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                            CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

/// The driver's function; this library links against the runtime alone.
inline Encode encoder() {
  static const Encode found = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult result;
    const cudaError_t error = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &result);
    return error == cudaSuccess && result == cudaDriverEntryPointSuccess ? reinterpret_cast<Encode>(function) : nullptr;
  }();
  return found;
}

/// A matrix [rows, width] in boxes of `tall` rows and 64 columns.
inline bool describe_matrix(CUtensorMap* map, const void* data, uint64_t rows, uint64_t width, uint32_t tall) {
  const cuuint64_t size[] = {width, rows}, pitch[] = {width * 2};
  const cuuint32_t box[] = {BOX, tall}, step[] = {1, 1};
  const Encode encode = encoder();
  return encode && encode(map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, const_cast<void*>(data), size, pitch, box, step,
                          CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                          CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

/// @param weights [2 * width, depth] @returns what went wrong, or null
inline const char* gated_linear(cudaStream_t stream, const void* x, int64_t rows, int64_t depth, const void* weights, void* result,
                                int64_t width, const void* bias) {
  Maps maps;
  if (!describe_matrix(&maps.rows, x, rows, depth, ROWS) || !describe_matrix(&maps.weights, weights, 2 * width, depth, BOX) ||
      !describe_matrix(&maps.result, result, rows, width, 64))
    return "the driver knows no tensor maps";
  const Sizes sizes = {static_cast<uint32_t>(depth / DEPTH), static_cast<uint32_t>((rows + 2 * ROWS - 1) / (2 * ROWS)),
                       static_cast<uint32_t>(width / (COLUMNS / 2)), static_cast<uint32_t>(width)};
  static const cudaError_t allowed =
      cudaFuncSetAttribute(gated_linear_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(SHARED_BYTES));
  if (allowed != cudaSuccess) return cudaGetErrorString(allowed);
  static const int processors = [] {
    int device = 0, found = 132;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&found, cudaDevAttrMultiProcessorCount, device);
    return found;
  }();
  const uint32_t tiles = sizes.row_pairs * sizes.column_tiles, most = static_cast<uint32_t>(processors) / 2;
  gated_linear_kernel<<<2 * (tiles < most ? tiles : most), THREADS, SHARED_BYTES, stream>>>(maps, sizes, static_cast<const __half*>(bias));
  return nullptr;
}
#endif

}  // namespace hopper
