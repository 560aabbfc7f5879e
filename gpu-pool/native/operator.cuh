// What an operator of ONNX Runtime is made of: its tensors, its attributes, its description.
#pragma once
#include <cuda_runtime.h>
#include <string.h>

#include "ort-abi.h"

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
  int64_t groups = 32, silu = 0, heads = 1, frames_in = 0, frames_out = 0, clip = 0, columns_before = 0, rows_before = 0;
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
  ort_int_attribute(api, info, "columns_before", &k->columns_before);
  ort_int_attribute(api, info, "rows_before", &k->rows_before);
  return k;
}

OrtStatus* create_v2(const OrtCustomOp* op, const OrtApi* a, const OrtKernelInfo* info, void** kernel) {
  *kernel = create(op, a, info);
  return nullptr;
}

constexpr int H = ORT_HALF, F = ORT_FLOAT;

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

}  // namespace
