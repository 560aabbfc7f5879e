// SnakeTaps: what a convolution of DAC multiplies its weights with.
#pragma once
#include "kernels.cuh"
#include "operator.cuh"

namespace {
namespace dac {

/// What lies at t of a row goes, through Snake (x + sin²(αx) / α), to `to` = (t - tap * dilation + padding) / stride of
/// each tap's row. Rows of the result are [tap, channel]. Without α there is no Snake.
__global__ void __launch_bounds__(256) snake_taps_kernel(const float* __restrict__ x, const float* __restrict__ alpha, float* __restrict__ out,
                                                         uint32_t channels, int length, int made, int first, int last, int taps, int dilation, int padding, int stride) {
  const int t = first + static_cast<int>(blockIdx.x * 256 + threadIdx.x);
  if (t > last) return;
  const size_t channel = blockIdx.y;
  float value = 0.0f;
  if (t >= 0 && t < length) {
    value = x[channel * length + t];
    if (alpha) {
      const float wave = sinf(alpha[channel] * value);
      value += 1.0f / (alpha[channel] + 1e-9f) * (wave * wave);
    }
  }
  for (int tap = 0; tap < taps; tap++) {
    const int from = t - tap * dilation + padding;
    const int to = stride == 1 ? from : from / stride;
    if (from >= 0 && to * stride == from && to < made) out[(static_cast<size_t>(tap) * channels + channel) * made + to] = value;
  }
}

struct Kernel {
  const OrtCustomOp* op;
  int64_t taps = 1, dilation = 1, padding = 0, stride = 1;
};

void* create(const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo* info) {
  Kernel* k = new Kernel{op};
  ort_int_attribute(api, info, "taps", &k->taps);
  ort_int_attribute(api, info, "dilation", &k->dilation);
  ort_int_attribute(api, info, "padding", &k->padding);
  ort_int_attribute(api, info, "stride", &k->stride);
  return k;
}

/// Of x [channels, T] and α [channels] or none: [taps * channels, (T + 2 padding - dilation (taps - 1) - 1) / stride + 1].
OrtStatus* compute(void* kernel, OrtKernelContext* context) {
  const Kernel& k = *static_cast<Kernel*>(kernel);
  const Tensor x = input(context, 0), alpha = input(context, 1);
  const int64_t reach = k.dilation * (k.taps - 1);
  if (x.rank != 2 || x.dims[0] > 65535 || (alpha.data && alpha.count() != x.dims[0])) return fail("SnakeTaps: x must be [channels, T] with an alpha a channel");
  const int64_t left = x.dims[1] + 2 * k.padding - reach - 1;
  const int64_t dims[] = {k.taps * x.dims[0], left < 0 ? 0 : left / k.stride + 1};
  float* out = static_cast<float*>(output(context, 0, dims, 2));
  if (dims[0] * dims[1] == 0) return nullptr;
  // The samples that any tap of any result weighs, those beyond the ends included: they are zeros.
  const int64_t end = (dims[1] - 1) * k.stride;
  const int first = static_cast<int>((reach < 0 ? reach : 0) - k.padding), last = static_cast<int>((reach > 0 ? reach : 0) - k.padding + end);
  const dim3 grid((last - first + 256) / 256, static_cast<uint32_t>(x.dims[0]));
  LAUNCH(snake_taps_kernel, grid, 256, 0, stream_of(context), x.floats(), alpha.data ? alpha.floats() : nullptr, out, grid.y, static_cast<int>(x.dims[1]),
         static_cast<int>(dims[1]), first, last, static_cast<int>(k.taps), static_cast<int>(k.dilation), static_cast<int>(k.padding), static_cast<int>(k.stride));
  return launched();
}

const int IN[] = {ORT_FLOAT, ORT_FLOAT}, OUTPUTS[] = {ORT_FLOAT};

/// @param op made by ops.cu with IN and OUTPUTS
void complete(Op& op) {
  op.create = create;
  op.create_v2 = [](const OrtCustomOp* o, const OrtApi* a, const OrtKernelInfo* info, void** kernel) -> OrtStatus* {
    *kernel = create(o, a, info);
    return nullptr;
  };
  op.destroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
}

}  // namespace dac
}  // namespace
