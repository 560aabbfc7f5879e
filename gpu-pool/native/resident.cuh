// Arrays of the host that lie on the GPU already. onnxruntime-node knows tensors of the host alone and sends every one
// of them anew in each run: a tensor that is made over an array kept here is made over its copy instead.
#pragma once
#include <stdlib.h>

#include <unordered_map>

#include "ort-abi.h"

namespace resident {
struct Copy {
  size_t bytes;
  char* there;
  uint32_t set;
};
inline std::unordered_map<const void*, Copy> copies;
inline std::unordered_map<uint32_t, char*> sets;
inline uint32_t last_set = 0;
inline OrtMemoryInfo* where = nullptr;

using CreateTensor = OrtStatus* (*)(const OrtMemoryInfo*, void*, size_t, const int64_t*, size_t, int, OrtValue**);
inline CreateTensor create_tensor = nullptr;

inline OrtStatus* create_tensor_there(const OrtMemoryInfo* info, void* data, size_t bytes, const int64_t* shape, size_t rank, int type, OrtValue** out) {
  const auto found = copies.find(data);
  if (found == copies.end() || found->second.bytes != bytes) return create_tensor(info, data, bytes, shape, rank, type, out);
  return create_tensor(where, found->second.there, bytes, shape, rank, type, out);
}

inline bool allocate(char** out, size_t bytes) {
#ifdef EMULATE
  *out = static_cast<char*>(malloc(bytes));
  return *out != nullptr;
#else
  if (cudaMalloc(out, bytes) == cudaSuccess) return true;
  cudaGetLastError();
  return false;
#endif
}

inline void release(char* memory) {
#ifdef EMULATE
  free(memory);
#else
  cudaFree(memory);
#endif
}

inline bool copy(char* to, const void* from, size_t bytes) {
#ifdef EMULATE
  memcpy(to, from, bytes);
  return true;
#else
  return cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice) == cudaSuccess;
#endif
}

inline bool settle() {
#ifdef EMULATE
  return true;
#else
  // What is copied from pageable memory may still be on its way, and the runtime's streams do not wait for this one.
  return cudaDeviceSynchronize() == cudaSuccess;
#endif
}

constexpr size_t ALIGNMENT = 256;
inline size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/// The arrays must stay where they are, unchanged, until the set is dropped. @returns a number for `drop`; 0 where they do not fit
inline uint32_t keep(const OrtApi* api, const char* device, const void* const* data, const size_t* bytes, size_t count) {
  if (!where && ort_create_memory_info(api, device, 0, 0, 0, &where)) return 0;
  size_t total = 0;
  for (size_t i = 0; i < count; i++) total += aligned(bytes[i]);
  char* memory = nullptr;
  if (total == 0 || !allocate(&memory, total)) return 0;
  char* at = memory;
  bool done = true;
  for (size_t i = 0; i < count && done; at += aligned(bytes[i++])) done = bytes[i] == 0 || copy(at, data[i], bytes[i]);
  if (!done || !settle()) {
    release(memory);
    return 0;
  }
  const uint32_t set = ++last_set;
  sets[set] = memory;
  at = memory;
  for (size_t i = 0; i < count; at += aligned(bytes[i++]))
    if (bytes[i] > 0) copies[data[i]] = {bytes[i], at, set};
  return set;
}

inline void drop(uint32_t set) {
  const auto found = sets.find(set);
  if (found == sets.end()) return;
  for (auto at = copies.begin(); at != copies.end();) at = at->second.set == set ? copies.erase(at) : ++at;
  release(found->second);
  sets.erase(found);
}
}  // namespace resident
