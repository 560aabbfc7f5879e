// The operators of the denoiser and the VAE: shapes are checked here, numbers are made in the kernels.
#pragma once
#include "hopper-linear.cuh"
#include "kernels.cuh"
#include "operator.cuh"

namespace {

OrtStatus* geglu(void* kernel, OrtKernelContext* context) {
  const Tensor x = input(context, 0), bias = input(context, 1);
  int64_t dims[8];
  memcpy(dims, x.dims, sizeof dims);
  dims[x.rank - 1] /= 2;
  if (x.last() % 16 != 0 || bias.count() != x.last()) return fail("GeGlu: rows must be a multiple of 16, with a bias as long");
  uint4* out = static_cast<uint4*>(output(context, 0, dims, x.rank));
  const uint32_t vectors = x.last() / 16;
  const int64_t total = x.count() / 16;
  if (total >= INT64_C(0xfff00000)) return fail("GeGlu: too many elements");
  if (total == 0) return nullptr;
  constexpr int unroll = 2;
  const uint32_t blocks = (total + 256 * unroll - 1) / (256 * unroll);
  LAUNCH(geglu_kernel<unroll>, blocks, 256, 0, stream_of(context), x.eights(), bias.eights(), out, vectors, static_cast<uint32_t>(total));
  return launched();
}

/// Blocks that a norm is cut into: a few for each multiprocessor.
constexpr uint32_t NORM_BLOCKS = 1056;

bool norm_shape(const Kernel& k, const Tensor& x, NormShape& n) {
  const int64_t channels = x.last();
  if (x.rank < 3 || channels % 8 != 0 || channels % k.groups != 0 || channels > 4096) return false;
  n.images = x.dims[0];
  n.pixels = x.count(1, x.rank - 1);
  n.vectors = channels / 8;
  n.lanes = n.vectors >= 512 ? 1 : 512 / n.vectors;
  n.groups = k.groups;
  const uint32_t wanted = (NORM_BLOCKS + n.images - 1) / n.images;
  n.chunk_rows = (n.pixels + wanted - 1) / wanted;
  if (n.chunk_rows < 4 * n.lanes) n.chunk_rows = 4 * n.lanes;
  n.chunks = (n.pixels + n.chunk_rows - 1) / n.chunk_rows;
  return x.count() > 0 && x.count(0, x.rank - 1) < INT64_C(0xfff00000);
}

Order order_of(int64_t frames, bool clip, uint32_t pixels) {
  if (frames == 0) return {0, 1};
  return {static_cast<uint32_t>(frames), clip ? pixels / static_cast<uint32_t>(frames) : pixels};
}

/// GroupNorm and SkipGroupNorm; the last output holds the sums.
OrtStatus* group_norm(void* kernel, OrtKernelContext* context, bool with_skip) {
  const Kernel& k = *static_cast<Kernel*>(kernel);
  const Tensor x = input(context, 0), gamma = input(context, 1), beta = input(context, 2);
  const Tensor skip = with_skip ? input(context, 3) : Tensor();
  const Tensor shift = with_skip ? Tensor() : input(context, 3);
  const Tensor bias = input(context, 4);
  // Where x lies in another order its own shape need not be that of the images: the skip's is.
  const Tensor& like = with_skip ? skip : x;
  NormShape n;
  if (!norm_shape(k, like, n)) return fail("GroupNorm: rows must be a multiple of 8 and of the groups, at most 4096");
  uint4* out = static_cast<uint4*>(output(context, 0, like.dims, like.rank));
  uint4* sum = with_skip ? static_cast<uint4*>(output(context, 1, like.dims, like.rank)) : nullptr;
  const int64_t floats = static_cast<int64_t>(n.images) * (n.chunks + 1) * n.groups * 2;
  float* stats = static_cast<float*>(output(context, with_skip ? 2 : 1, &floats, 1));
  float* partial = stats + static_cast<size_t>(n.images) * n.groups * 2;
  const cudaStream_t stream = stream_of(context);
  const dim3 grid(n.chunks, n.images);
  const uint32_t threads = n.vectors * n.lanes;
  const size_t shared = static_cast<size_t>(threads) * 8 * 2 * sizeof(float);
  const Order from = order_of(k.frames_in, k.clip, n.pixels), to = order_of(k.frames_out, k.clip, n.pixels);
  if (with_skip)
    LAUNCH(norm_sums_kernel<true>, grid, threads, shared, stream, x.eights(), skip.eights(), bias.eights(), shift.eights(), sum, partial, n, from);
  else
    LAUNCH(norm_sums_kernel<false>, grid, threads, shared, stream, x.eights(), skip.eights(), bias.eights(), shift.eights(), sum, partial, n, from);
  LAUNCH(norm_stats_kernel, n.images, 1024, 0, stream, partial, stats, n, k.epsilon);
  const uint4* source = with_skip ? sum : x.eights();
  const uint4* more = with_skip ? nullptr : bias.eights();
  const Order source_order = with_skip ? Order{0, 1} : from;
  if (k.silu)
    LAUNCH(norm_apply_kernel<true>, grid, threads, 0, stream, source, more, shift.eights(), gamma.floats(), beta.floats(), stats, out, n, source_order, to);
  else
    LAUNCH(norm_apply_kernel<false>, grid, threads, 0, stream, source, more, shift.eights(), gamma.floats(), beta.floats(), stats, out, n, source_order, to);
  return launched();
}

OrtStatus* plain_group_norm(void* kernel, OrtKernelContext* context) { return group_norm(kernel, context, false); }
OrtStatus* skip_group_norm(void* kernel, OrtKernelContext* context) { return group_norm(kernel, context, true); }

OrtStatus* layer_norm(void* kernel, OrtKernelContext* context) {
  const Kernel& k = *static_cast<Kernel*>(kernel);
  const Tensor x = input(context, 0), gamma = input(context, 1), beta = input(context, 2);
  const Tensor skip = input(context, 3), bias = input(context, 4), position = input(context, 5);
  const int64_t channels = x.last();
  if (channels % 8 != 0 || channels > 32 * 8 * 8) return fail("LayerNorm: rows must be a multiple of 8, at most 2048");
  uint4* out = static_cast<uint4*>(output(context, 0, x.dims, x.rank));
  uint4* sum = static_cast<uint4*>(output(context, 1, x.dims, x.rank));
  const uint32_t rows = x.count(0, x.rank - 1), vectors = channels / 8;
  const uint32_t frames = position.data ? position.count() / channels : 1;
  if (rows == 0) return nullptr;
  const cudaStream_t stream = stream_of(context);
  const uint32_t blocks = (rows + 7) / 8;
#define ROWS_OF(VECTORS)                                                                                             \
  LAUNCH(layer_norm_kernel<VECTORS>, blocks, 256, 0, stream, x.eights(), skip.eights(), bias.eights(),              \
         gamma.eights(), beta.eights(), position.eights(), out, sum, rows, vectors, frames, k.epsilon)
  if (vectors <= 64) ROWS_OF(2);
  else if (vectors <= 96) ROWS_OF(3);
  else if (vectors <= 160) ROWS_OF(5);
  else ROWS_OF(8);
#undef ROWS_OF
  return launched();
}

OrtStatus* residual(void* kernel, OrtKernelContext* context) {
  const Kernel& k = *static_cast<Kernel*>(kernel);
  const Tensor x = input(context, 0), bias = input(context, 1), skip = input(context, 2);
  const int64_t channels = skip.last();
  if (channels % 8 != 0 || x.count() != skip.count() || bias.count() != channels) return fail("Residual: shapes do not fit");
  uint4* out = static_cast<uint4*>(output(context, 0, skip.dims, skip.rank));
  const uint32_t vectors = channels / 8, total = skip.count() / 8;
  if (total == 0) return nullptr;
  const uint32_t pixels = skip.count(1, skip.rank - 1);
  LAUNCH(residual_kernel, (total + 255) / 256, 256, 0, stream_of(context), x.eights(), bias.eights(), skip.eights(), out, vectors, total, order_of(k.frames_in, k.clip, pixels));
  return launched();
}

OrtStatus* interleave(void*, OrtKernelContext* context) {
  const Tensor phases = input(context, 0), bias = input(context, 1);
  const int64_t channels = bias.count();
  if (phases.rank != 4 || channels % 8 != 0 || phases.last() != 4 * channels) return fail("Interleave: shapes do not fit");
  const int64_t dims[] = {phases.dims[0], 2 * (phases.dims[1] - 1), 2 * (phases.dims[2] - 1), channels};
  uint4* out = static_cast<uint4*>(output(context, 0, dims, 4));
  const uint32_t vectors = channels / 8, total = dims[0] * dims[1] * dims[2] * vectors;
  if (total == 0) return nullptr;
  LAUNCH(interleave_kernel, (total + 255) / 256, 256, 0, stream_of(context), phases.eights(), bias.eights(), out,
         static_cast<uint32_t>(phases.dims[1] - 1), static_cast<uint32_t>(phases.dims[2] - 1), vectors, total);
  return launched();
}

OrtStatus* gated_silu(void*, OrtKernelContext* context) {
  const Tensor x = input(context, 0);
  if (x.last() % 16 != 0) return fail("GatedSilu: rows must be a multiple of 16");
  int64_t dims[8];
  memcpy(dims, x.dims, sizeof dims);
  dims[x.rank - 1] /= 2;
  uint4* out = static_cast<uint4*>(output(context, 0, dims, x.rank));
  const uint32_t vectors = x.last() / 16, total = x.count() / 16;
  if (total == 0) return nullptr;
  LAUNCH(gated_silu_kernel, (total + 255) / 256, 256, 0, stream_of(context), x.eights(), out, vectors, total);
  return launched();
}

/// (x values + bias) * gelu(x gates + bias) with the weights [values; gates].
OrtStatus* gated_linear(void*, OrtKernelContext* context) {
  const Tensor x = input(context, 0), weight = input(context, 1), bias = input(context, 2);
  const int64_t depth = x.last(), width = weight.count() / depth / 2;
  if (!hopper::fits(depth, width) || weight.last() != depth || bias.count() != 2 * width) return fail("GatedLinear: shapes do not fit");
  int64_t dims[8];
  memcpy(dims, x.dims, sizeof dims);
  dims[x.rank - 1] = width;
  void* out = output(context, 0, dims, x.rank);
  if (x.count() == 0) return nullptr;
  const int64_t rows = x.count() / depth;
  if (const char* problem = hopper::gated_linear(stream_of(context), x.data, rows, depth, weight.data, out, width, bias.data)) return fail(problem);
  return launched();
}

/// Channels that a block of temporal attention takes: 30 KiB of shared memory for 16 frames.
constexpr int64_t ATTENTION_CHANNELS = 320;

template <int TILES>
OrtStatus* temporal(OrtKernelContext* context, const Tensor& q, const Tensor& k, const Tensor& v, uint4* out, int64_t heads) {
  const int64_t channels = q.last(), width = channels / heads;
  int64_t together = heads;
  while (together > 1 && (together > 8 || together * width > ATTENTION_CHANNELS || heads % together != 0)) together--;
  const uint32_t share = together * width / 8;
  const size_t shared = static_cast<size_t>(3) * TILES * 16 * (share * 8 + ROW_PADDING) * 2;
#ifndef EMULATE
  const cudaError_t error = cudaFuncSetAttribute(temporal_attention_kernel<TILES>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
  if (error != cudaSuccess) return fail(cudaGetErrorString(error));
#endif
  const dim3 grid(q.count(0, q.rank - 2), heads / together);
  LAUNCH(temporal_attention_kernel<TILES>, grid, 256, shared, stream_of(context), q.eights(), k.eights(), v.eights(), out,
         static_cast<uint32_t>(q.dims[q.rank - 2]), static_cast<uint32_t>(channels / 8), share, static_cast<uint32_t>(width), 1.0f / sqrtf(static_cast<float>(width)));
  return launched();
}

OrtStatus* temporal_attention(void* kernel, OrtKernelContext* context) {
  const Kernel& k = *static_cast<Kernel*>(kernel);
  const Tensor query = input(context, 0), key = input(context, 1), value = input(context, 2);
  const int64_t channels = query.last(), frames = query.rank > 1 ? query.dims[query.rank - 2] : 0;
  if (channels % k.heads != 0 || channels / k.heads % 8 != 0 || frames > 32) return fail("TemporalAttention: heads of a multiple of 8 channels, at most 32 frames");
  uint4* out = static_cast<uint4*>(output(context, 0, query.dims, query.rank));
  if (query.count() == 0) return nullptr;
  return frames <= 16 ? temporal<1>(context, query, key, value, out, k.heads) : temporal<2>(context, query, key, value, out, k.heads);
}

const int GEGLU_IN[] = {H, H}, NORM_IN[] = {H, F, F, H, H}, LAYER_IN[] = {H, H, H, H, H, H}, RESIDUAL_IN[] = {H, H, H};
const int GEGLU_OUT[] = {H}, NORM_OUT[] = {H, F}, SKIP_NORM_OUT[] = {H, H, F}, LAYER_OUT[] = {H, H};

}  // namespace
