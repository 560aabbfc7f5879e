// Functions of ONNX Runtime's own table, wrapped in memory: onnxruntime-node has no other way to them.
#pragma once
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <unordered_set>

#include "operator.cuh"
#include "resident.cuh"

namespace {

/// Makes the domain of the own operators, once.
OrtStatus* make_domain();
extern OrtDomain* domain;

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

/// The options that CUDA was appended to last, until a session is made.
const OrtOptions* cuda_options = nullptr;
/// Sessions on CUDA. Nobody tells when one goes, so a new one at the same address is entered or struck out.
std::unordered_set<const OrtSession*> cuda_sessions;

OrtStatus* note_session(OrtStatus* status, const OrtOptions* options, OrtSession* const* made) {
  const bool cuda = cuda_options == options;
  cuda_options = nullptr;
  if (status) return status;
  if (cuda) cuda_sessions.insert(*made);
  else cuda_sessions.erase(*made);
  return nullptr;
}

OrtStatus* create_session_with_ops(const OrtEnvironment* env, const char* path, const OrtOptions* options, OrtSession** out) {
  if (OrtStatus* status = add_domain(options)) return status;
  return note_session(create_session(env, path, options, out), options, out);
}

OrtStatus* create_from_array_with_ops(const OrtEnvironment* env, const void* data, size_t size, const OrtOptions* options, OrtSession** out) {
  if (OrtStatus* status = add_domain(options)) return status;
  return note_session(create_from_array(env, data, size, options, out), options, out);
}

using RunSession = OrtStatus* (*)(OrtSession*, const OrtRunOptions*, const char* const*, const OrtValue* const*, size_t, const char* const*, size_t, OrtValue**);
RunSession run_session = nullptr;
bool giving_back = false;

/// With `giving_back`, the session's arena gives the GPU what the run has left unused. One on the CPU has no such arena.
OrtStatus* run_and_give_back(OrtSession* session, const OrtRunOptions* options, const char* const* input_names, const OrtValue* const* inputs,
                             size_t input_count, const char* const* output_names, size_t output_count, OrtValue** outputs) {
  if (!giving_back || cuda_sessions.count(session) == 0)
    return run_session(session, options, input_names, inputs, input_count, output_names, output_count, outputs);
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
  cuda_options = options;
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
