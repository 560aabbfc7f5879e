// weight + b a: a layer's weight with its LoRAs, read and written once.
#pragma once
#include "kernels.cuh"
#include "operator.cuh"

namespace {
namespace adapted {

/// A warp makes ROWS x 32 numbers, a block WARPS of those side by side.
constexpr uint32_t TILES = 2, ROWS = 16 * TILES, WARPS = 4, VECTORS = 4 * WARPS, RANK = 16;

/// Half number `odd` of both words as one: what two rows of `a` have in a column.
__device__ __forceinline__ uint32_t column_of(uint32_t upper, uint32_t lower, bool odd) {
  return odd ? (upper >> 16) | (lower & 0xffff0000u) : (upper & 0xffffu) | (lower << 16);
}

__device__ __forceinline__ uint32_t word_of(const uint4& eight, int i) {
  return i == 0 ? eight.x : i == 1 ? eight.y : i == 2 ? eight.z : eight.w;
}

/**
 * out = weight + b a with weight [rows, 8 * vectors], a [rank, 8 * vectors], b [rows, rank], the rank a multiple of 16.
 * The four products of a lane's columns are mixed so that it has eight numbers in a row: column 2 q + e of product t is
 * column 8 q + 2 t + e of the weight.
 */
__global__ void __launch_bounds__(32 * WARPS) adapted_weight_kernel(const uint4* __restrict__ weight, const uint4* __restrict__ a,
                                                                     const uint32_t* __restrict__ b, uint4* __restrict__ out,
                                                                     uint32_t rows, uint32_t vectors, uint32_t rank) {
  const uint32_t lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
  const uint32_t first_row = blockIdx.y * ROWS, first = blockIdx.x * VECTORS + threadIdx.x / 32 * 4;
  const uint32_t own = first + q, fed = first + g / 2;
  const uint4 nothing = {0, 0, 0, 0};
  uint4 base[TILES][2];
#pragma unroll
  for (uint32_t m = 0; m < TILES; m++)
#pragma unroll
    for (uint32_t h = 0; h < 2; h++) {
      const uint32_t row = first_row + 16 * m + 8 * h + g;
      base[m][h] = row < rows && own < vectors ? __ldg(weight + static_cast<size_t>(row) * vectors + own) : nothing;
    }
  float sums[TILES][4][4] = {};
  for (uint32_t k = 0; k < rank; k += RANK) {
    uint4 columns[4];
#pragma unroll
    for (uint32_t j = 0; j < 4; j++) {
      const uint32_t row = k + 2 * q + j % 2 + 8 * (j / 2);
      columns[j] = fed < vectors ? __ldg(a + static_cast<size_t>(row) * vectors + fed) : nothing;
    }
#pragma unroll
    for (uint32_t m = 0; m < TILES; m++) {
      uint32_t left[4];
#pragma unroll
      for (uint32_t j = 0; j < 4; j++) {
        const uint32_t row = first_row + 16 * m + 8 * (j % 2) + g;
        left[j] = row < rows ? __ldg(b + (static_cast<size_t>(row) * rank + k) / 2 + q + 4 * (j / 2)) : 0;
      }
#pragma unroll
      for (int t = 0; t < 4; t++) {
        const uint32_t right[2] = {column_of(word_of(columns[0], t), word_of(columns[1], t), g % 2),
                                   column_of(word_of(columns[2], t), word_of(columns[3], t), g % 2)};
        multiply_add(sums[m][t], left, right);
      }
    }
  }
#pragma unroll
  for (uint32_t m = 0; m < TILES; m++)
#pragma unroll
    for (uint32_t h = 0; h < 2; h++) {
      const uint32_t row = first_row + 16 * m + 8 * h + g;
      if (row >= rows || own >= vectors) continue;
      Eight e = unpack(base[m][h]);
#pragma unroll
      for (int t = 0; t < 4; t++) {
        e.v[2 * t] += sums[m][t][2 * h];
        e.v[2 * t + 1] += sums[m][t][2 * h + 1];
      }
      out[static_cast<size_t>(row) * vectors + own] = pack(e);
    }
}

/// The same for rows that are not of eights: those of a first convolution.
__global__ void __launch_bounds__(256) adapted_number_kernel(const __half* __restrict__ weight, const __half* __restrict__ a,
                                                              const __half* __restrict__ b, __half* __restrict__ out,
                                                              uint32_t columns, uint32_t rank, uint32_t total) {
  const uint32_t i = blockIdx.x * 256 + threadIdx.x;
  if (i >= total) return;
  const uint32_t row = i / columns, column = i % columns;
  float sum = __half2float(__ldg(weight + i));
  for (uint32_t k = 0; k < rank; k++)
    sum += __half2float(__ldg(b + row * rank + k)) * __half2float(__ldg(a + static_cast<size_t>(k) * columns + column));
  out[i] = __float2half_rn(sum);
}

/// weight [rows, columns]; a and b hold the matrices of all layers, one layer after the other.
OrtStatus* compute(void* kernel, OrtKernelContext* context) {
  const Kernel& k = *static_cast<Kernel*>(kernel);
  const Tensor weight = input(context, 0), a = input(context, 1), b = input(context, 2);
  const int64_t columns = weight.last(), rows = columns > 0 ? weight.count() / columns : 0, rank = a.rank == 2 ? a.dims[0] : 0;
  if (a.rank != 2 || b.rank != 2 || b.dims[1] != rank || rank % RANK != 0) return fail("AdaptedWeight: the rank must be a multiple of 16");
  if (k.columns_before + columns > a.dims[1] || k.rows_before + rows > b.dims[0]) return fail("AdaptedWeight: the layer lies outside the matrices");
  void* out = output(context, 0, weight.dims, weight.rank);
  if (rows == 0) return nullptr;
  const cudaStream_t stream = stream_of(context);
  const __half* mine = static_cast<const __half*>(a.data) + rank * k.columns_before;
  const __half* yours = static_cast<const __half*>(b.data) + rank * k.rows_before;
  if (columns % 8 == 0) {
    const uint32_t vectors = columns / 8;
    const dim3 grid((vectors + VECTORS - 1) / VECTORS, (rows + ROWS - 1) / ROWS);
    LAUNCH(adapted_weight_kernel, grid, 32 * WARPS, 0, stream, weight.eights(), reinterpret_cast<const uint4*>(mine),
           reinterpret_cast<const uint32_t*>(yours), static_cast<uint4*>(out), static_cast<uint32_t>(rows), vectors, static_cast<uint32_t>(rank));
  } else {
    const uint32_t total = weight.count();
    LAUNCH(adapted_number_kernel, (total + 255) / 256, 256, 0, stream, static_cast<const __half*>(weight.data), mine, yours,
           static_cast<__half*>(out), static_cast<uint32_t>(columns), static_cast<uint32_t>(rank), total);
  }
  return launched();
}

}  // namespace adapted
}  // namespace
