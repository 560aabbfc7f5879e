// The part of ONNX Runtime's C interface that custom operators need. The interface only ever grows at its end, so a
// function keeps its place in the table: these are the places of the public header onnxruntime_c_api.h (version 24).
#pragma once
#include <stddef.h>
#include <stdint.h>

struct OrtStatus;
struct OrtKernelInfo;
struct OrtKernelContext;
struct OrtValue;
struct OrtShape;
struct OrtDomain;
struct OrtOptions;
struct OrtEnvironment;
struct OrtSession;
struct OrtRunOptions;
struct OrtCustomOp;
struct OrtMemoryInfo;

struct OrtApi {
  void* slot[512];
};
struct OrtApiBase {
  const OrtApi* (*get_api)(uint32_t version);
  const char* (*version)();
};

enum { ORT_FLOAT = 1, ORT_INT64 = 7, ORT_HALF = 10 };
enum { ORT_FAIL = 1 };
enum { ORT_REQUIRED = 0, ORT_OPTIONAL = 1, ORT_VARIADIC = 2 };
enum { ORT_ON_HOST = -2 };
constexpr uint32_t ORT_VERSION = 24;

template <typename Function>
Function ort_function(const OrtApi* api, int slot) {
  return reinterpret_cast<Function>(api->slot[slot]);
}

#define ORT_CALL(NAME, SLOT, RESULT, ...) \
  template <typename... A>                \
  RESULT NAME(const OrtApi* api, A... a) { return ort_function<RESULT (*)(__VA_ARGS__)>(api, SLOT)(a...); }

ORT_CALL(ort_create_status, 0, OrtStatus*, int, const char*)
ORT_CALL(ort_create_domain, 26, OrtStatus*, const char*, OrtDomain**)
ORT_CALL(ort_domain_add, 27, OrtStatus*, OrtDomain*, const OrtCustomOp*)
ORT_CALL(ort_add_domain, 28, OrtStatus*, OrtOptions*, OrtDomain*)
ORT_CALL(ort_create_run_options, 39, OrtStatus*, OrtRunOptions**)
ORT_CALL(ort_release_run_options, 97, void, OrtRunOptions*)
ORT_CALL(ort_add_run_entry, 165, OrtStatus*, OrtRunOptions*, const char*, const char*)
ORT_CALL(ort_tensor_data, 51, OrtStatus*, OrtValue*, void**)
ORT_CALL(ort_rank, 61, OrtStatus*, const OrtShape*, size_t*)
ORT_CALL(ort_dims, 62, OrtStatus*, const OrtShape*, int64_t*, size_t)
ORT_CALL(ort_shape, 65, OrtStatus*, const OrtValue*, OrtShape**)
ORT_CALL(ort_create_memory_info, 68, OrtStatus*, const char*, int, int, int, OrtMemoryInfo**)
ORT_CALL(ort_float_attribute, 85, OrtStatus*, const OrtKernelInfo*, const char*, float*)
ORT_CALL(ort_int_attribute, 86, OrtStatus*, const OrtKernelInfo*, const char*, int64_t*)
ORT_CALL(ort_input_count, 88, OrtStatus*, const OrtKernelContext*, size_t*)
ORT_CALL(ort_input, 90, OrtStatus*, const OrtKernelContext*, size_t, const OrtValue**)
ORT_CALL(ort_output, 91, OrtStatus*, OrtKernelContext*, size_t, const int64_t*, size_t, OrtValue**)
ORT_CALL(ort_release_shape, 99, void, OrtShape*)
ORT_CALL(ort_stream, 193, OrtStatus*, const OrtKernelContext*, void**)
constexpr int ORT_CREATE_SESSION = 7;
constexpr int ORT_CREATE_SESSION_FROM_ARRAY = 8;
constexpr int ORT_RUN = 9;
constexpr int ORT_CREATE_TENSOR = 49;
constexpr int ORT_APPEND_CUDA = 204;
ORT_CALL(ort_update_cuda, 206, OrtStatus*, void*, const char* const*, const char* const*, size_t)

struct OrtCustomOp {
  uint32_t version;
  void* (*create)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*);
  const char* (*name)(const OrtCustomOp*);
  const char* (*provider)(const OrtCustomOp*);
  int (*input_type)(const OrtCustomOp*, size_t);
  size_t (*input_count)(const OrtCustomOp*);
  int (*output_type)(const OrtCustomOp*, size_t);
  size_t (*output_count)(const OrtCustomOp*);
  void (*compute)(void*, OrtKernelContext*);
  void (*destroy)(void*);
  int (*input_kind)(const OrtCustomOp*, size_t);
  int (*output_kind)(const OrtCustomOp*, size_t);
  int (*input_memory)(const OrtCustomOp*, size_t);
  int (*variadic_input_arity)(const OrtCustomOp*);
  int (*variadic_input_same)(const OrtCustomOp*);
  int (*variadic_output_arity)(const OrtCustomOp*);
  int (*variadic_output_same)(const OrtCustomOp*);
  OrtStatus* (*create_v2)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*, void**);
  OrtStatus* (*compute_v2)(void*, OrtKernelContext*);
  OrtStatus* (*infer)(const OrtCustomOp*, void*);
  int (*start_version)(const OrtCustomOp*);
  int (*end_version)(const OrtCustomOp*);
  size_t (*may_inplace)(int**, int**);
  void (*release_may_inplace)(int*, int*);
  size_t (*alias_map)(int**, int**);
  void (*release_alias_map)(int*, int*);
};
static_assert(sizeof(OrtCustomOp) == 208, "the layout of OrtCustomOp");
