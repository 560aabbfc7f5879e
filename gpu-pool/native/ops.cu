// Custom operators of domain "cartoon" for ONNX Runtime, and the addon that registers them in every session that is
// made afterwards in the process. onnxruntime-node has no call for custom operators: this wraps the functions that
// make sessions in ONNX Runtime's own table. Loading it changes nothing for graphs that name none of the operators.
#include <cuda_runtime.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vector>

#include "hopper-linear.cuh"
#include "kernels.cuh"
#include "ort-abi.h"
#include "resident.cuh"

namespace {

#ifdef EMULATE
constexpr const char* PROVIDER = "CPUExecutionProvider";
constexpr const char* DEVICE_NAME = "Cpu";
#else
constexpr const char* PROVIDER = "CUDAExecutionProvider";
constexpr const char* DEVICE_NAME = "Cuda";
#endif
constexpr const char* DOMAIN_NAME = "cartoon";
const OrtApi* api = nullptr;

OrtStatus* fail(const char* message) { return ort_create_status(api, ORT_FAIL, message); }

/// A tensor of the running operator; `data` is null where an optional input is absent.
struct Tensor {
  void* data = nullptr;
  int64_t dims[8] = {};
  size_t rank = 0;
  int64_t count(size_t from = 0, size_t to = 8) const {
    int64_t product = 1;
    for (size_t i = from; i < rank && i < to; i++) product *= dims[i];
    return product;
  }
  int64_t last() const { return rank > 0 ? dims[rank - 1] : 1; }
  const uint4* eights() const { return static_cast<const uint4*>(data); }
  const float* floats() const { return static_cast<const float*>(data); }
};

Tensor input(OrtKernelContext* context, size_t index) {
  Tensor t;
  size_t count = 0;
  ort_input_count(api, context, &count);
  if (index >= count) return t;
  const OrtValue* value = nullptr;
  if (ort_input(api, context, index, &value) || value == nullptr) return t;
  OrtShape* shape = nullptr;
  ort_shape(api, value, &shape);
  ort_rank(api, shape, &t.rank);
  if (t.rank <= 8) ort_dims(api, shape, t.dims, t.rank);
  ort_release_shape(api, shape);
  ort_tensor_data(api, const_cast<OrtValue*>(value), &t.data);
  return t;
}

void* output(OrtKernelContext* context, size_t index, const int64_t* dims, size_t rank) {
  OrtValue* value = nullptr;
  if (ort_output(api, context, index, dims, rank, &value) || value == nullptr) return nullptr;
  void* data = nullptr;
  ort_tensor_data(api, value, &data);
  return data;
}

cudaStream_t stream_of(OrtKernelContext* context) {
  void* stream = nullptr;
#ifndef EMULATE
  ort_stream(api, context, &stream);
#endif
  return static_cast<cudaStream_t>(stream);
}

OrtStatus* launched() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : fail(cudaGetErrorString(error));
}

/// Attributes of a node; those that an operator lacks keep their defaults.
struct Kernel {
  const OrtCustomOp* op;
  float epsilon = 1e-5f;
  int64_t groups = 32, silu = 0, heads = 1, frames_in = 0, frames_out = 0, clip = 0;
};

/// An operator: how many of the inputs must be there, types, and what it does.
struct Op : OrtCustomOp {
  const char* op_name;
  const int* inputs;
  size_t input_total, input_required;
  const int* outputs;
  size_t output_total;
};

const Op* of(const OrtCustomOp* op) { return static_cast<const Op*>(op); }

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

void* create(const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo* info) {
  Kernel* k = new Kernel{op};
  // A missing attribute leaves the default, and a status that nobody needs.
  ort_float_attribute(api, info, "epsilon", &k->epsilon);
  ort_int_attribute(api, info, "groups", &k->groups);
  ort_int_attribute(api, info, "silu", &k->silu);
  ort_int_attribute(api, info, "heads", &k->heads);
  ort_int_attribute(api, info, "frames_in", &k->frames_in);
  ort_int_attribute(api, info, "frames_out", &k->frames_out);
  ort_int_attribute(api, info, "clip", &k->clip);
  return k;
}

OrtStatus* create_v2(const OrtCustomOp* op, const OrtApi* a, const OrtKernelInfo* info, void** kernel) {
  *kernel = create(op, a, info);
  return nullptr;
}

constexpr int H = ORT_HALF, F = ORT_FLOAT;
const int GEGLU_IN[] = {H, H}, NORM_IN[] = {H, F, F, H, H}, LAYER_IN[] = {H, H, H, H, H, H}, RESIDUAL_IN[] = {H, H, H};
const int GEGLU_OUT[] = {H}, NORM_OUT[] = {H, F}, SKIP_NORM_OUT[] = {H, H, F}, LAYER_OUT[] = {H, H};

Op make(const char* name, OrtStatus* (*compute)(void*, OrtKernelContext*), const int* in, size_t in_total, size_t required, const int* out, size_t out_total) {
  Op op;
  memset(&op, 0, sizeof op);
  op.version = ORT_VERSION;
  op.create = create;
  op.create_v2 = create_v2;
  op.name = [](const OrtCustomOp* o) { return of(o)->op_name; };
  op.provider = [](const OrtCustomOp*) { return PROVIDER; };
  op.input_type = [](const OrtCustomOp* o, size_t i) { return of(o)->inputs[i]; };
  op.input_count = [](const OrtCustomOp* o) { return of(o)->input_total; };
  op.output_type = [](const OrtCustomOp* o, size_t i) { return of(o)->outputs[i]; };
  op.output_count = [](const OrtCustomOp* o) { return of(o)->output_total; };
  op.compute_v2 = compute;
  op.destroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
  op.input_kind = [](const OrtCustomOp* o, size_t i) { return static_cast<int>(i < of(o)->input_required ? ORT_REQUIRED : ORT_OPTIONAL); };
  op.output_kind = [](const OrtCustomOp*, size_t) { return static_cast<int>(ORT_REQUIRED); };
  op.input_memory = [](const OrtCustomOp*, size_t) { return 0; };
  op.variadic_input_arity = op.variadic_output_arity = [](const OrtCustomOp*) { return 1; };
  op.variadic_input_same = op.variadic_output_same = [](const OrtCustomOp*) { return 1; };
  op.start_version = [](const OrtCustomOp*) { return 1; };
  op.end_version = [](const OrtCustomOp*) { return 0x7fffffff; };
  op.op_name = name;
  op.inputs = in;
  op.input_total = in_total;
  op.input_required = required;
  op.outputs = out;
  op.output_total = out_total;
  return op;
}

#include "dac-op.cuh"
#include "dia-op.cuh"

OrtDomain* domain = nullptr;
Op ops[11];

OrtStatus* make_domain() {
  if (domain) return nullptr;
  ops[0] = make("GeGlu", geglu, GEGLU_IN, 2, 2, GEGLU_OUT, 1);
  ops[1] = make("GroupNorm", plain_group_norm, NORM_IN, 5, 3, NORM_OUT, 2);
  ops[2] = make("SkipGroupNorm", skip_group_norm, NORM_IN, 5, 4, SKIP_NORM_OUT, 3);
  ops[3] = make("LayerNorm", layer_norm, LAYER_IN, 6, 3, LAYER_OUT, 2);
  ops[4] = make("Residual", residual, RESIDUAL_IN, 3, 3, GEGLU_OUT, 1);
  ops[5] = make("Interleave", interleave, GEGLU_IN, 2, 2, GEGLU_OUT, 1);
  ops[6] = make("TemporalAttention", temporal_attention, RESIDUAL_IN, 3, 3, GEGLU_OUT, 1);
  ops[7] = make("GatedSilu", gated_silu, GEGLU_IN, 1, 1, GEGLU_OUT, 1);
  ops[8] = make("GatedLinear", gated_linear, RESIDUAL_IN, 3, 3, GEGLU_OUT, 1);
  ops[9] = make("DiaDecode", dia::compute, dia::IN, 13, 13, dia::OUTPUTS, 6);
  dia::complete(ops[9]);
  ops[10] = make("SnakeTaps", dac::compute, dac::IN, 2, 1, dac::OUTPUTS, 1);
  dac::complete(ops[10]);
  OrtDomain* made = nullptr;
  if (OrtStatus* status = ort_create_domain(api, DOMAIN_NAME, &made)) return status;
  for (const Op& op : ops)
    if (OrtStatus* status = ort_domain_add(api, made, &op)) return status;
  domain = made;
  return nullptr;
}

using CreateSession = OrtStatus* (*)(const OrtEnvironment*, const char*, const OrtOptions*, OrtSession**);
using CreateFromArray = OrtStatus* (*)(const OrtEnvironment*, const void*, size_t, const OrtOptions*, OrtSession**);
using AppendCuda = OrtStatus* (*)(OrtOptions*, const void*);
CreateSession create_session = nullptr;
CreateFromArray create_from_array = nullptr;
AppendCuda append_cuda = nullptr;
char provider_options[1024] = "";

OrtStatus* add_domain(const OrtOptions* options) {
  if (OrtStatus* status = make_domain()) return status;
  return ort_add_domain(api, const_cast<OrtOptions*>(options), domain);
}

OrtStatus* create_session_with_ops(const OrtEnvironment* env, const char* path, const OrtOptions* options, OrtSession** out) {
  if (OrtStatus* status = add_domain(options)) return status;
  return create_session(env, path, options, out);
}

OrtStatus* create_from_array_with_ops(const OrtEnvironment* env, const void* data, size_t size, const OrtOptions* options, OrtSession** out) {
  if (OrtStatus* status = add_domain(options)) return status;
  return create_from_array(env, data, size, options, out);
}

using RunSession = OrtStatus* (*)(OrtSession*, const OrtRunOptions*, const char* const*, const OrtValue* const*, size_t, const char* const*, size_t, OrtValue**);
RunSession run_session = nullptr;
bool giving_back = false;

/// With `giving_back`, the session's arena gives the GPU what the run has left unused.
OrtStatus* run_and_give_back(OrtSession* session, const OrtRunOptions* options, const char* const* input_names, const OrtValue* const* inputs,
                             size_t input_count, const char* const* output_names, size_t output_count, OrtValue** outputs) {
  if (!giving_back) return run_session(session, options, input_names, inputs, input_count, output_names, output_count, outputs);
  // Not the caller's: those may be shared with later runs.
  OrtRunOptions* own = nullptr;
  OrtStatus* status = ort_create_run_options(api, &own);
  if (!status) status = ort_add_run_entry(api, own, "memory.enable_memory_arena_shrinkage", "gpu:0");
  if (!status) status = run_session(session, own, input_names, inputs, input_count, output_names, output_count, outputs);
  if (own) ort_release_run_options(api, own);
  return status;
}

/// Adds the provider's options that onnxruntime-node does not pass on, "name=value;name=value".
OrtStatus* append_cuda_with_options(OrtOptions* options, const void* cuda) {
  char text[sizeof provider_options];
  strcpy(text, provider_options);
  const char* names[16];
  const char* values[16];
  size_t count = 0;
  char* rest = text;
  while (char* entry = strsep(&rest, ";")) {
    char* value = strchr(entry, '=');
    if (!value || count == 16) continue;
    *value = 0;
    names[count] = entry;
    values[count++] = value + 1;
  }
  if (count > 0)
    if (OrtStatus* status = ort_update_cuda(api, const_cast<void*>(cuda), names, values, count)) return status;
  return append_cuda(options, cuda);
}

bool replace(int slot, void* with, void** before) {
  void** at = const_cast<void**>(&api->slot[slot]);
  const size_t page = sysconf(_SC_PAGESIZE);
  void* start = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(at) & ~(page - 1));
  // The table lies in memory that the loader made read-only after relocation; one entry may not cross a page.
  if (mprotect(start, page, PROT_READ | PROT_WRITE) != 0) return false;
  *before = *at;
  *at = with;
  return mprotect(start, page, PROT_READ) == 0;
}

/// @returns what went wrong, or null
const char* install() {
  static bool done = false;
  if (done) return nullptr;
  void* library = dlopen("libonnxruntime.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (!library) return "onnxruntime-node must be loaded first";
  using GetBase = const OrtApiBase* (*)();
  const GetBase get_base = reinterpret_cast<GetBase>(dlsym(library, "OrtGetApiBase"));
  if (!get_base) return "libonnxruntime has no OrtGetApiBase";
  api = get_base()->get_api(ORT_VERSION);
  if (!api) return "ONNX Runtime is too old";
  if (!replace(ORT_CREATE_SESSION, reinterpret_cast<void*>(create_session_with_ops), reinterpret_cast<void**>(&create_session)) ||
      !replace(ORT_CREATE_SESSION_FROM_ARRAY, reinterpret_cast<void*>(create_from_array_with_ops), reinterpret_cast<void**>(&create_from_array)) ||
      !replace(ORT_CREATE_TENSOR, reinterpret_cast<void*>(resident::create_tensor_there), reinterpret_cast<void**>(&resident::create_tensor)) ||
      !replace(ORT_RUN, reinterpret_cast<void*>(run_and_give_back), reinterpret_cast<void**>(&run_session)) ||
      !replace(ORT_APPEND_CUDA, reinterpret_cast<void*>(append_cuda_with_options), reinterpret_cast<void**>(&append_cuda)))
    return "the table of ONNX Runtime can't be changed";
  done = true;
  return nullptr;
}

}  // namespace

// Node-API, as far as it is needed; the functions are the host's (Bun, Node and Deno alike).
extern "C" {
typedef struct napi_env__* napi_env;
typedef struct napi_value__* napi_value;
typedef struct napi_callback_info__* napi_callback_info;
int napi_throw_error(napi_env, const char*, const char*);
int napi_create_function(napi_env, const char*, size_t, napi_value (*)(napi_env, napi_callback_info), void*, napi_value*);
int napi_set_named_property(napi_env, napi_value, const char*, napi_value);
int napi_get_cb_info(napi_env, napi_callback_info, size_t*, napi_value*, napi_value*, void**);
int napi_get_value_string_utf8(napi_env, napi_value, char*, size_t, size_t*);
int napi_create_int32(napi_env, int32_t, napi_value*);
int napi_get_value_bool(napi_env, napi_value, bool*);
int napi_create_uint32(napi_env, uint32_t, napi_value*);
int napi_get_value_uint32(napi_env, napi_value, uint32_t*);
int napi_get_array_length(napi_env, napi_value, uint32_t*);
int napi_get_element(napi_env, napi_value, uint32_t, napi_value*);
int napi_get_typedarray_info(napi_env, napi_value, int*, size_t*, void**, napi_value*, size_t*);

/// setProviderOptions("name=value;…"): for sessions on CUDA that are made from now on.
static napi_value set_provider_options(napi_env env, napi_callback_info info) {
  size_t count = 1, length = 0;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (napi_get_value_string_utf8(env, argument, provider_options, sizeof provider_options, &length) != 0)
    napi_throw_error(env, nullptr, "setProviderOptions needs a text");
  return nullptr;
}

/// giveBack(boolean): whether runs from now on leave the GPU no more than they need.
static napi_value give_back(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (napi_get_value_bool(env, argument, &giving_back) != 0) napi_throw_error(env, nullptr, "giveBack needs a boolean");
  return nullptr;
}

/// computeCapability(): of the first GPU that this process sees, 90 for 9.0; 0 without one.
static napi_value compute_capability(napi_env env, napi_callback_info) {
  int major = 0, minor = 0;
#ifndef EMULATE
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
  // No GPU is an answer, not an error for the next launch.
  cudaGetLastError();
#endif
  napi_value number = nullptr;
  napi_create_int32(env, 10 * major + minor, &number);
  return number;
}

/// keep([Uint8Array, …]): copies arrays to the GPU; tensors over them are there from now on. 0 where they do not fit.
static napi_value keep(napi_env env, napi_callback_info info) {
  size_t given = 1;
  napi_value arrays = nullptr, number = nullptr;
  uint32_t count = 0, set = 0;
  napi_get_cb_info(env, info, &given, &arrays, nullptr, nullptr);
  if (napi_get_array_length(env, arrays, &count) != 0) napi_throw_error(env, nullptr, "keep needs an array of Uint8Arrays");
  std::vector<const void*> data(count);
  std::vector<size_t> bytes(count);
  bool read = count > 0;
  for (uint32_t i = 0; i < count && read; i++) {
    napi_value array = nullptr;
    void* at = nullptr;
    read = napi_get_element(env, arrays, i, &array) == 0 && napi_get_typedarray_info(env, array, nullptr, &bytes[i], &at, nullptr, nullptr) == 0;
    data[i] = at;
  }
  if (read) set = resident::keep(api, DEVICE_NAME, data.data(), bytes.data(), count);
  napi_create_uint32(env, set, &number);
  return number;
}

/// drop(number of `keep`): the arrays may change, move or go.
static napi_value drop(napi_env env, napi_callback_info info) {
  size_t given = 1;
  napi_value number = nullptr;
  uint32_t set = 0;
  napi_get_cb_info(env, info, &given, &number, nullptr, nullptr);
  if (napi_get_value_uint32(env, number, &set) == 0) resident::drop(set);
  return nullptr;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  if (const char* problem = install()) {
    napi_throw_error(env, nullptr, problem);
    return exports;
  }
  napi_value function = nullptr;
  napi_create_function(env, "setProviderOptions", 18, set_provider_options, nullptr, &function);
  napi_set_named_property(env, exports, "setProviderOptions", function);
  napi_create_function(env, "giveBack", 8, give_back, nullptr, &function);
  napi_set_named_property(env, exports, "giveBack", function);
  napi_create_function(env, "computeCapability", 17, compute_capability, nullptr, &function);
  napi_set_named_property(env, exports, "computeCapability", function);
  napi_create_function(env, "keep", 4, keep, nullptr, &function);
  napi_set_named_property(env, exports, "keep", function);
  napi_create_function(env, "drop", 4, drop, nullptr, &function);
  napi_set_named_property(env, exports, "drop", function);
  return exports;
}

__attribute__((visibility("default"))) int node_api_module_get_api_version_v1() { return 8; }
}
