// Custom operators of domain "cartoon" for ONNX Runtime, and the addon that registers them in every session that is
// made afterwards in the process. Loading it changes nothing for graphs that name none of the operators.
#include <stdio.h>

#include <vector>

#include "adapted-weight.cuh"
#include "dac-op.cuh"
#include "dia-op.cuh"
#include "picture-ops.cuh"
#include "session-hooks.cuh"

namespace {

OrtDomain* domain = nullptr;
Op ops[12];

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
  ops[11] = make("AdaptedWeight", adapted::compute, RESIDUAL_IN, 3, 3, GEGLU_OUT, 1);
  OrtDomain* made = nullptr;
  if (OrtStatus* status = ort_create_domain(api, DOMAIN_NAME, &made)) return status;
  for (const Op& op : ops)
    if (OrtStatus* status = ort_domain_add(api, made, &op)) return status;
  domain = made;
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
