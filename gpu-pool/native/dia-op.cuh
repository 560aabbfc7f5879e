// DiaDecode: the frames of a run of Dia's decoder as one operator (dia-native.ts has its inputs and outputs).
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "dia-kernels.cuh"
#include "operator.cuh"

namespace {

#ifdef EMULATE
cudaError_t device_allocate(void** to, size_t bytes) {
  *to = aligned_alloc(64, (bytes + 63) / 64 * 64);
  return cudaSuccess;
}
void device_free(void* data) { free(data); }
cudaError_t copy_rows(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, cudaStream_t) {
  for (size_t i = 0; i < height; i++) memcpy(static_cast<char*>(to) + i * to_pitch, static_cast<const char*>(from) + i * from_pitch, width);
  return cudaSuccess;
}
cudaError_t zero(void* to, size_t bytes, cudaStream_t) {
  memset(to, 0, bytes);
  return cudaSuccess;
}
cudaError_t wait_for(cudaStream_t) { return cudaSuccess; }
int current_device() { return 0; }
template <typename Kernel>
cudaError_t allow_shared(Kernel, size_t) {
  return cudaSuccess;
}
#else
cudaError_t device_allocate(void** to, size_t bytes) {
  const cudaError_t error = cudaMalloc(to, bytes);
  // Or the next operator would be told of it.
  if (error != cudaSuccess) cudaGetLastError();
  return error;
}
void device_free(void* data) { cudaFree(data); }
cudaError_t copy_rows(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, cudaStream_t stream) {
  if (width == 0 || height == 0) return cudaSuccess;
  if (height == 1) return cudaMemcpyAsync(to, from, width, cudaMemcpyDefault, stream);
  return cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, width, height, cudaMemcpyDefault, stream);
}
cudaError_t zero(void* to, size_t bytes, cudaStream_t stream) { return cudaMemsetAsync(to, 0, bytes, stream); }
cudaError_t wait_for(cudaStream_t stream) { return cudaStreamSynchronize(stream); }
int current_device() {
  int device = 0;
  cudaGetDevice(&device);
  return device & 63;
}
template <typename Kernel>
cudaError_t allow_shared(Kernel kernel, size_t bytes) {
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
}
#endif

namespace dia {

enum Group { JOINT, SELF, JOIN, ASK, TEXT, GATE, SINK, TELL, DRAW, GROUPS };

/// With DIA_TIMES in the environment: what each kind of kernel took, one after the other, as one JSON line a run.
class Times {
#ifdef EMULATE
 public:
  void mark(Group, cudaStream_t) {}
  void tell(int64_t) {}
#else
  struct Mark {
    Group group;
    cudaEvent_t at;
  };
  std::vector<Mark> marks;
  const bool wanted = getenv("DIA_TIMES") != nullptr;

 public:
  void mark(Group group, cudaStream_t stream) {
    if (!wanted) return;
    marks.push_back({group, nullptr});
    cudaEventCreate(&marks.back().at);
    cudaEventRecord(marks.back().at, stream);
  }
  void tell(int64_t frames) {
    if (!wanted || marks.empty()) return;
    const char* const names[] = {"joint", "self", "join", "ask", "text", "gate", "sink", "tell", "draw"};
    float total[GROUPS] = {};
    cudaEventSynchronize(marks.back().at);
    for (size_t i = 1; i < marks.size(); i++) {
      float milliseconds = 0;
      cudaEventElapsedTime(&milliseconds, marks[i - 1].at, marks[i].at);
      total[marks[i].group] += milliseconds;
    }
    printf("{\"section\":\"dia times\",\"frames\":%lld,\"microsecondsPerFrame\":{", static_cast<long long>(frames));
    for (int g = 0; g < GROUPS; g++) printf("%s\"%s\":%.1f", g > 0 ? "," : "", names[g], total[g] * 1000 / frames);
    printf("}}\n");
    fflush(stdout);
    for (const Mark& m : marks) cudaEventDestroy(m.at);
    marks.clear();
  }
#endif
};

/// Memory of the device that only grows.
struct Buffer {
  void* data = nullptr;
  size_t size = 0;
  bool reserve(size_t bytes) {
    if (bytes <= size) return true;
    device_free(data);
    data = nullptr;
    size = 0;
    if (device_allocate(&data, bytes) != cudaSuccess) return false;
    size = bytes;
    return true;
  }
  ~Buffer() { device_free(data); }
};

/// Hands out parts of a buffer; without one it only counts.
struct Parts {
  char* base;
  size_t used = 0;
  template <typename T>
  void take(T*& to, size_t count) {
    to = reinterpret_cast<T*>(base + used);
    used += (count * sizeof(T) + 255) / 256 * 256;
  }
};

/// Keys and values of dialogues that go on in the next run: [layers, rows, kv_heads, capacity, dim].
struct Cache {
  Buffer keys, values;
  int64_t id = 0, length = 0, rows = 0, capacity = 0;
  /// Of dialogues that were opened one by one: keys and values of their texts too, [layers, rows, cross_heads, text, dim].
  Buffer text_keys, text_values;
  int64_t text = 0, opening = 0, opened = 0;
  /// Rows that there is room for at first.
  int64_t least = 1;
};

struct Kernel {
  float epsilon = 1e-5f;
  int64_t layers = 0, heads = 1, kv_heads = 1, cross_heads = 1, eos = 0, pad = 0, max_delay = 0, alignment_layer = -1, alignment_head = -1, logits = 0;
  Buffer scratch;
  /// The batch that goes on, and runs that stand alone.
  Cache kept, alone;
};

/// What the input CACHE says, see dia-native.ts.
struct Handle {
  int64_t id, kept, dialogue, dialogues, text;
};

/// Inputs: those before FIRST_HALF have types of their own; the rest are half precision, LAYER_INPUTS a layer.
enum { N, CACHE, PROMPT, TOK, ENDING, MASK, FORCED, GUMBEL, PARAMS, DELAYS, COS, SIN, FIRST_HALF };
enum { EMBED = FIRST_HALF, NORM, LOGITS_DENSE, FIRST_LAYER };
enum { SELF_NORM, QUERY, KEY, VALUE, OUT, CROSS_NORM, CROSS_QUERY, CROSS_OUT, MLP_NORM, GATE_UP, DOWN, CROSS_KEYS, CROSS_VALUES, PAST_KEYS, PAST_VALUES, LAYER_INPUTS };

struct Sizes {
  int64_t n, dialogues, rows, prompt, text, channels, vocab, candidates, width, inner, dim, cross_dim, past, heads, kv_heads, cross_heads;
  int64_t embed_blocks() const { return (width / 8 + 31) / 32; }
  int64_t chunks() const { return (past + n + KEYS - 1) / KEYS; }
  int64_t text_chunks() const { return (text + KEYS - 1) / KEYS; }
};

struct Scratch {
  __half *x, *q, *mixed, *inner;
  float *total, *squares, *partial, *logits, *shares;
  uint32_t* counters;
  int64_t *drawn, *tokens, *ending;
  size_t layout(const Sizes& s, bool all_logits, char* base) {
    Parts parts{base};
    const size_t most = s.heads * s.dim > s.cross_heads * s.cross_dim ? s.heads * s.dim : s.cross_heads * s.cross_dim;
    const size_t self = s.heads * s.chunks() * (s.dim + 2), cross = s.cross_heads * s.text_chunks() * (s.cross_dim + 2);
    parts.take(x, s.rows * s.width);
    parts.take(total, s.rows * s.width);
    parts.take(q, s.rows * most);
    parts.take(mixed, s.rows * most);
    parts.take(inner, s.rows * s.inner);
    parts.take(squares, s.rows * (s.width / 16 + s.embed_blocks()));
    parts.take(partial, s.rows * (self > cross ? self : cross));
    parts.take(logits, (all_logits ? s.n : 1) * s.rows * s.channels * s.vocab);
    parts.take(shares, s.n * s.dialogues * s.text);
    parts.take(counters, s.rows * (s.kv_heads > s.cross_heads ? s.kv_heads : s.cross_heads));
    parts.take(drawn, s.dialogues * s.channels);
    parts.take(tokens, s.n * s.dialogues * s.channels);
    parts.take(ending, (s.n + 1) * s.dialogues);
    return parts.used;
  }
};

/// The weights of one layer as they lie.
struct Layer {
  const __half* at[LAYER_INPUTS];
};

constexpr size_t PRODUCT_SHARED = 64 + STAGE_BYTES + 16 * STAGE_PADDING * 2;

template <int KIND, int COLUMNS, int TILES, int UNROLL>
void launch_product(const Product& p, cudaStream_t stream) {
  static uint64_t devices = 0;
  const uint64_t device = UINT64_C(1) << current_device();
  if (!(devices & device)) {
    if (allow_shared(product_kernel<KIND, COLUMNS, TILES, UNROLL>, PRODUCT_SHARED) != cudaSuccess) return;
    devices |= device;
  }
  const size_t staged = 64 + static_cast<size_t>(p.rows) * (p.piece + STAGE_PADDING) * 2;
  const size_t met = (PRODUCT_WARPS * TILES * 16 * (COLUMNS * 8 + 1) + TILES * 8 * p.rows) * sizeof(float);
  LAUNCH_NEXT((product_kernel<KIND, COLUMNS, TILES, UNROLL>), dim3((p.tiles + TILES - 1) / TILES), dim3(PRODUCT_THREADS), staged > met ? staged : met, stream, p);
}

/// A product of any number of rows, sixteen at a time. @param row_out numbers of a row of `out`
template <int KIND, int TILES, int UNROLL>
void product(Product p, int64_t rows, size_t row_out, cudaStream_t stream) {
  const size_t blocks = (p.tiles + TILES - 1) / TILES;
  for (int64_t done = 0; done < rows; done += 16) {
    p.rows = rows - done < 16 ? rows - done : 16;
    // Whole turns of the loop, so that a piece never ends inside one.
    uint32_t piece = 4 * TURN;
    while (piece < p.width && p.rows * (piece + 4 * TURN) * 2 <= STAGE_BYTES) piece += 4 * TURN;
    p.piece = piece;
    if (p.rows <= 8)
      launch_product<KIND, 1, TILES, UNROLL>(p, stream);
    else
      launch_product<KIND, 2, TILES, UNROLL>(p, stream);
    p.in += 16 * static_cast<size_t>(p.width);
    if (p.out) p.out += 16 * row_out;
    if (p.logits) p.logits += 16 * row_out;
    if (p.squares) p.squares += 16 * static_cast<size_t>(p.parts);
    if (p.total) p.total += 16 * row_out;
    if (p.squares_out) p.squares_out += 16 * blocks;
    if (p.keys) p.keys += 16 * static_cast<size_t>(p.kv_heads) * p.capacity * p.dim;
    if (p.values) p.values += 16 * static_cast<size_t>(p.kv_heads) * p.capacity * p.dim;
  }
}

template <int GROUP, int LANES>
void launch_attention(const Attention& a, uint32_t rows, cudaStream_t stream) {
  const size_t shared = (GROUP * KEYS + 2 * GROUP + 8 * GROUP * LANES * 8) * sizeof(float);
  LAUNCH_NEXT((row_attention_kernel<GROUP, LANES>), dim3(a.chunks, a.kv_heads, rows), dim3(256), shared, stream, a);
}

template <int GROUP>
bool attention_of(const Attention& a, uint32_t rows, int64_t dim, cudaStream_t stream) {
  switch (dim) {
    case 8: launch_attention<GROUP, 1>(a, rows, stream); return true;
    case 16: launch_attention<GROUP, 2>(a, rows, stream); return true;
    case 32: launch_attention<GROUP, 4>(a, rows, stream); return true;
    case 64: launch_attention<GROUP, 8>(a, rows, stream); return true;
    case 128: launch_attention<GROUP, 16>(a, rows, stream); return true;
    default: return false;
  }
}

bool attention(const Attention& a, uint32_t rows, int64_t group, int64_t dim, cudaStream_t stream) {
  switch (group) {
    case 1: return attention_of<1>(a, rows, dim, stream);
    case 2: return attention_of<2>(a, rows, dim, stream);
    case 4: return attention_of<4>(a, rows, dim, stream);
    case 5: return attention_of<5>(a, rows, dim, stream);
    default: return false;
  }
}

/// One run of the operator.
struct Run {
  const Kernel& k;
  const Cache& kv;
  Sizes s;
  Scratch w;
  cudaStream_t stream;
  const Layer* layers;
  const __half *embed, *norm, *logits_dense;
  const float *mask, *gumbel, *params, *cos, *sin;
  const int64_t *forced, *delays;
  uint32_t parts;
  Times times;

  __half* cache(const Buffer& of, int64_t layer) const {
    return static_cast<__half*>(of.data) + static_cast<size_t>(layer) * s.rows * s.kv_heads * kv.capacity * s.dim;
  }

  /// Keys or values of the text.
  const __half* text(const Buffer& of, int64_t layer, const __half* given) const {
    if (kv.text == 0) return given;
    return static_cast<const __half*>(of.data) + static_cast<size_t>(layer) * s.rows * s.cross_heads * s.text * s.cross_dim;
  }

  Product norm_product(const __half* weights, const __half* gamma, int64_t outputs) const {
    Product p = {};
    p.weights[0] = weights;
    p.outputs = outputs;
    p.tiles = (outputs + 15) / 16;
    p.width = s.width;
    p.in = w.x;
    p.norm = gamma;
    p.squares = w.squares;
    p.parts = parts;
    p.epsilon = k.epsilon;
    return p;
  }

  /// Adds `in` x weights to the rows.
  void add(const __half* weights, const __half* in, int64_t width) {
    Product p = {};
    p.weights[0] = weights;
    p.outputs = s.width;
    p.tiles = s.width / 16;
    p.width = width;
    p.in = in;
    p.out = w.x;
    p.total = w.total;
    p.squares_out = w.squares;
    product<RESIDUAL, 1, 4>(p, s.rows, s.width, stream);
    times.mark(in == w.inner ? SINK : JOIN, stream);
    parts = p.tiles;
  }

  bool layer(int64_t index, int64_t position, float* shares) {
    const Layer& l = layers[index];
    Product qkv = norm_product(l.at[QUERY], l.at[SELF_NORM], 0);
    qkv.weights[1] = l.at[KEY];
    qkv.weights[2] = l.at[VALUE];
    qkv.tiles = (s.heads + 2 * s.kv_heads) * s.dim / 16;
    qkv.out = w.q;
    qkv.keys = cache(kv.keys, index);
    qkv.values = cache(kv.values, index);
    qkv.cos = cos;
    qkv.sin = sin;
    qkv.position = position;
    qkv.capacity = kv.capacity;
    qkv.heads = s.heads;
    qkv.kv_heads = s.kv_heads;
    qkv.dim = s.dim;
    product<QUERY_KEY_VALUE, 1, 4>(qkv, s.rows, s.heads * s.dim, stream);
    times.mark(JOINT, stream);

    Attention a = {};
    a.q = w.q;
    a.keys = qkv.keys;
    a.values = qkv.values;
    a.head_stride = kv.capacity * s.dim;
    a.row_stride = s.kv_heads * a.head_stride;
    a.length = position + 1;
    a.fresh = position;
    a.chunks = (a.length + KEYS - 1) / KEYS;
    a.kv_heads = s.kv_heads;
    a.partial = w.partial;
    a.counters = w.counters;
    a.out = w.mixed;
    if (!attention(a, s.rows, s.heads / s.kv_heads, s.dim, stream)) return false;
    times.mark(SELF, stream);
    add(l.at[OUT], w.mixed, s.heads * s.dim);

    Product query = norm_product(l.at[CROSS_QUERY], l.at[CROSS_NORM], s.cross_heads * s.cross_dim);
    query.out = w.q;
    product<PLAIN, 1, 4>(query, s.rows, query.outputs, stream);
    times.mark(ASK, stream);
    a.keys = text(kv.text_keys, index, l.at[CROSS_KEYS]);
    a.values = text(kv.text_values, index, l.at[CROSS_VALUES]);
    a.head_stride = s.text * s.cross_dim;
    a.row_stride = s.cross_heads * a.head_stride;
    a.length = s.text;
    a.fresh = NO_KEY;
    a.chunks = s.text_chunks();
    a.kv_heads = s.cross_heads;
    a.mask = mask;
    a.shares = index == k.alignment_layer ? shares : nullptr;
    a.head = k.alignment_head;
    a.told = s.dialogues;
    if (!attention(a, s.rows, 1, s.cross_dim, stream)) return false;
    times.mark(TEXT, stream);
    add(l.at[CROSS_OUT], w.mixed, s.cross_heads * s.cross_dim);

    Product gate = norm_product(l.at[GATE_UP], l.at[MLP_NORM], s.inner);
    gate.tiles = s.inner / 8;
    gate.out = w.inner;
    product<GATED, 2, 2>(gate, s.rows, s.inner, stream);
    times.mark(GATE, stream);
    add(l.at[DOWN], w.inner, s.inner);
    return true;
  }

  void embed_rows(const int64_t* drawn, const int64_t* ending, int64_t* tokens, int64_t* next) {
    Embed e = {};
    e.drawn = drawn;
    e.ending = ending;
    e.delays = delays;
    e.tokens = tokens;
    e.next_ending = next;
    e.table = embed;
    e.x = w.x;
    e.total = w.total;
    e.squares = w.squares;
    e.dialogues = s.dialogues;
    e.channels = s.channels;
    e.vocab = s.vocab;
    e.vectors = s.width / 8;
    e.blocks = s.embed_blocks();
    e.eos = k.eos;
    e.pad = k.pad;
    LAUNCH_NEXT(embed_kernel, dim3(e.blocks, s.dialogues), dim3(32), 0, stream, e);
    parts = e.blocks;
  }

  bool frame(int64_t step) {
    for (int64_t i = 0; i < k.layers; i++)
      if (!layer(i, s.past + step, w.shares + step * s.dialogues * s.text)) return false;
    Product p = norm_product(logits_dense, norm, s.channels * s.vocab);
    p.logits = w.logits + (k.logits ? step : 0) * s.rows * p.outputs;
    product<LOGITS, 2, 2>(p, s.rows, p.outputs, stream);
    times.mark(TELL, stream);
    Draw d = {};
    d.logits = p.logits;
    d.forced = forced + step * s.dialogues * s.channels;
    d.gumbel = gumbel + step * s.dialogues * s.channels * s.candidates;
    d.params = params;
    d.drawn = w.drawn;
    d.dialogues = s.dialogues;
    d.channels = s.channels;
    d.vocab = s.vocab;
    d.candidates = s.candidates;
    d.eos = k.eos;
    const size_t shared = (2 * s.vocab + 4 * s.candidates + 1) * sizeof(float);
    LAUNCH_NEXT(draw_kernel, dim3(s.channels, s.dialogues), dim3(DRAW_THREADS), shared, stream, d);
    embed_rows(w.drawn, w.ending + step * s.dialogues, w.tokens + step * s.dialogues * s.channels, w.ending + (step + 1) * s.dialogues);
    times.mark(DRAW, stream);
    return true;
  }
};

/// Room for the frames of a run after the rows that are there. @returns what went wrong, or null
const char* make_room(Cache& cache, const Sizes& s, int64_t layers, bool goes_on, int64_t longest, cudaStream_t stream) {
  const int64_t outer = layers * s.rows * s.kv_heads, needed = s.past + s.n;
  const size_t key_bytes = s.dim * sizeof(__half);
  if (goes_on && needed <= cache.capacity) return nullptr;
  if (!goes_on) {
    const int64_t fits = cache.keys.size / (outer * key_bytes);
    int64_t capacity = cache.least > needed ? cache.least : (needed + 255) / 256 * 256;
    if (capacity > longest) capacity = longest;
    if (capacity < fits) capacity = fits < longest ? fits : longest;
    if (!cache.keys.reserve(outer * capacity * key_bytes) || !cache.values.reserve(outer * capacity * key_bytes)) return "DiaDecode: out of memory for keys and values";
    cache.capacity = capacity;
    return nullptr;
  }
  const int64_t capacity = 2 * needed < longest ? 2 * needed : longest;
  for (Buffer* buffer : {&cache.keys, &cache.values}) {
    Buffer grown;
    if (!grown.reserve(outer * capacity * key_bytes)) return "DiaDecode: out of memory for keys and values";
    if (copy_rows(grown.data, capacity * key_bytes, buffer->data, cache.capacity * key_bytes, s.past * key_bytes, outer, stream) != cudaSuccess) return "DiaDecode: keys and values can't be moved";
    if (wait_for(stream) != cudaSuccess) return "DiaDecode: keys and values can't be moved";
    void* data = buffer->data;
    *buffer = {};
    buffer->data = grown.data;
    buffer->size = grown.size;
    grown.data = data;
  }
  cache.capacity = capacity;
  return nullptr;
}

#define TRY(call) \
  if (const cudaError_t error = call; error != cudaSuccess) return fail(cudaGetErrorString(error))

/// Puts the prompt's rows and the text of one dialogue among those that will run together.
/// @returns what went wrong, or null
const char* open_dialogue(Kernel& k, const Sizes& own, const Handle& handle, const Layer* layers, int64_t longest, cudaStream_t stream) {
  Cache& kv = k.kept;
  Sizes s = own;
  s.rows = 2 * handle.dialogues;
  const size_t text_bytes = k.layers * s.rows * s.cross_heads * handle.text * s.cross_dim * sizeof(__half);
  if (handle.id <= 0 || own.n != 0 || own.dialogues != 1 || handle.dialogue >= handle.dialogues || own.text > handle.text) return "DiaDecode: a dialogue is opened by itself";
  if (handle.dialogue == 0) {
    kv.id = 0;
    if (const char* problem = make_room(kv, s, k.layers, false, longest, stream)) return problem;
    kv.rows = s.rows;
    kv.length = s.past;
    kv.text = handle.text;
    if (!kv.text_keys.reserve(text_bytes) || !kv.text_values.reserve(text_bytes)) return "DiaDecode: out of memory for the texts";
    // Shorter texts end in zeros.
    if (zero(kv.text_keys.data, text_bytes, stream) != cudaSuccess || zero(kv.text_values.data, text_bytes, stream) != cudaSuccess) return "DiaDecode: memory can't be cleared";
  } else if (kv.opening != handle.id || kv.opened != handle.dialogue || kv.rows != s.rows || kv.length != s.past || kv.text != handle.text) {
    return "DiaDecode: another dialogue has taken the cache";
  }
  const size_t key = s.dim * sizeof(__half), letter = s.cross_dim * sizeof(__half);
  for (int64_t l = 0; l < k.layers; l++)
    for (int64_t half = 0; half < 2; half++) {
      const size_t row = l * s.rows + handle.dialogue + half * handle.dialogues;
      const auto put = [&](const Buffer& to, size_t to_pitch, int part, size_t from_pitch, int64_t heads) {
        const char* from = reinterpret_cast<const char*>(layers[l].at[part]) + half * heads * from_pitch;
        return copy_rows(static_cast<char*>(to.data) + row * heads * to_pitch, to_pitch, from, from_pitch, from_pitch, heads, stream) == cudaSuccess;
      };
      const bool done = put(kv.keys, kv.capacity * key, PAST_KEYS, s.past * key, s.kv_heads) && put(kv.values, kv.capacity * key, PAST_VALUES, s.past * key, s.kv_heads) &&
                        put(kv.text_keys, handle.text * letter, CROSS_KEYS, own.text * letter, s.cross_heads) &&
                        put(kv.text_values, handle.text * letter, CROSS_VALUES, own.text * letter, s.cross_heads);
      if (!done) return "DiaDecode: a dialogue can't be copied";
    }
  kv.opening = handle.id;
  kv.opened = handle.dialogue + 1;
  if (kv.opened == handle.dialogues) kv.id = handle.id;
  return nullptr;
}

/// Frames after which it is seen whether all dialogues have ended.
constexpr int64_t LOOK = 16;

OrtStatus* compute(void* kernel, OrtKernelContext* context) {
  Kernel& k = *static_cast<Kernel*>(kernel);
  const Tensor n = input(context, N), cache = input(context, CACHE), prompt = input(context, PROMPT), tok = input(context, TOK), ending = input(context, ENDING);
  const Tensor mask = input(context, MASK), forced = input(context, FORCED), gumbel = input(context, GUMBEL), params = input(context, PARAMS);
  const Tensor delays = input(context, DELAYS), cos = input(context, COS), sin = input(context, SIN);
  const Tensor embed = input(context, EMBED), norm = input(context, NORM), logits_dense = input(context, LOGITS_DENSE);
  Layer layers[64];
  if (k.layers < 1 || k.layers > 64) return fail("DiaDecode: 1 to 64 layers");
  Tensor of_first[LAYER_INPUTS];
  for (int64_t l = 0; l < k.layers; l++)
    for (int i = 0; i < LAYER_INPUTS; i++) {
      const Tensor t = input(context, FIRST_LAYER + l * LAYER_INPUTS + i);
      layers[l].at[i] = static_cast<const __half*>(t.data);
      if (l == 0) of_first[i] = t;
    }
  if (cache.count() != 5) return fail("DiaDecode: `cache` has five numbers");
  const Handle& handle = *static_cast<const Handle*>(cache.data);
  const int64_t id = handle.id;
  Cache& kv = id > 0 ? k.kept : k.alone;
  const bool opens = handle.dialogues > 0, goes_on = !opens && id > 0 && kv.id == id;
  Sizes s = {};
  s.n = *static_cast<const int64_t*>(n.data);
  s.dialogues = tok.dims[0];
  s.rows = 2 * s.dialogues;
  s.channels = tok.dims[1];
  s.prompt = prompt.dims[1];
  s.text = mask.dims[1];
  s.vocab = embed.dims[0] / s.channels;
  s.candidates = gumbel.last();
  s.width = embed.dims[1];
  s.inner = of_first[DOWN].last();
  s.heads = k.heads;
  s.kv_heads = k.kv_heads;
  s.cross_heads = k.cross_heads;
  s.dim = of_first[QUERY].dims[0] / s.heads;
  s.cross_dim = of_first[CROSS_QUERY].dims[0] / s.cross_heads;
  const int64_t given = of_first[PAST_KEYS].dims[2];
  s.past = goes_on ? handle.kept : given;
  if (s.n < 0 || forced.dims[0] < s.n || gumbel.dims[0] < s.n) return fail("DiaDecode: n must not be negative, with noise and tokens for each frame");
  if (s.candidates < 1 || s.candidates > s.vocab) return fail("DiaDecode: 1 to `vocab` candidates");
  if (s.width % 16 != 0 || s.inner % 8 != 0 || s.dim % 16 != 0 || s.text < 1) return fail("DiaDecode: sizes that it can't take");
  if (s.past + s.n > cos.dims[0]) return fail("DiaDecode: more frames than the model has positions");
  if (goes_on ? given > 0 || kv.length != handle.kept || kv.rows != s.rows || (kv.text > 0 && kv.text != s.text) : handle.kept > 0)
    return fail("DiaDecode: another dialogue has taken the cache");
  const cudaStream_t stream = stream_of(context);
  if (opens) {
    if (const char* problem = open_dialogue(k, s, handle, layers, cos.dims[0], stream)) return fail(problem);
  } else {
    kv.id = kv.opening = 0;
    if (!goes_on) kv.text = 0;
    if (const char* problem = make_room(kv, s, k.layers, goes_on, cos.dims[0], stream)) return fail(problem);
    kv.rows = s.rows;
  }
  const size_t key_bytes = s.dim * sizeof(__half), pitch = kv.capacity * key_bytes;

  Scratch w;
  if (!k.scratch.reserve(w.layout(s, k.logits, nullptr))) return fail("DiaDecode: out of memory");
  w.layout(s, k.logits, static_cast<char*>(k.scratch.data));
  Run run{k, kv, s, w, stream, layers, static_cast<const __half*>(embed.data), static_cast<const __half*>(norm.data), static_cast<const __half*>(logits_dense.data),
          mask.floats(), gumbel.floats(), params.floats(), cos.floats(), sin.floats(),
          static_cast<const int64_t*>(forced.data), static_cast<const int64_t*>(delays.data), 0, {}};
  for (int64_t l = 0; l < k.layers && given > 0 && !opens; l++) {
    TRY(copy_rows(run.cache(kv.keys, l), pitch, layers[l].at[PAST_KEYS], given * key_bytes, given * key_bytes, s.rows * s.kv_heads, stream));
    TRY(copy_rows(run.cache(kv.values, l), pitch, layers[l].at[PAST_VALUES], given * key_bytes, given * key_bytes, s.rows * s.kv_heads, stream));
  }
  TRY(zero(w.counters, s.rows * (s.kv_heads > s.cross_heads ? s.kv_heads : s.cross_heads) * sizeof(uint32_t), stream));
  const size_t ending_bytes = s.dialogues * sizeof(int64_t);
  TRY(copy_rows(w.ending, ending_bytes, ending.data, ending_bytes, ending_bytes, 1, stream));
  run.embed_rows(static_cast<const int64_t*>(tok.data), nullptr, nullptr, nullptr);

  // The host looks at the endings now and then; frames after the last one that counts are dropped.
  int64_t* endings = static_cast<int64_t*>(malloc((s.n + 1) * ending_bytes));
  struct Freed {
    void* data;
    ~Freed() { free(data); }
  } freed{endings};
  int64_t made = 0, frames = 0;
  for (bool more = true; more && frames < s.n;) {
    const int64_t until = frames + LOOK < s.n ? frames + LOOK : s.n;
    for (; frames < until; frames++)
      if (!run.frame(frames)) return fail("DiaDecode: heads that it can't take");
    TRY(cudaGetLastError());
    TRY(copy_rows(endings, 0, w.ending, 0, (frames + 1) * ending_bytes, 1, stream));
    TRY(wait_for(stream));
    while (more && made < frames) {
      made++;
      bool open = false;
      for (int64_t b = 0; b < s.dialogues; b++) open |= endings[made * s.dialogues + b] <= k.max_delay;
      more = open;
    }
  }
  run.times.tell(frames);
  if (!opens) {
    kv.length = s.past + made;
    kv.id = id;
  }

  const int64_t token_dims[] = {made, s.dialogues, s.channels}, alignment_dims[] = {k.alignment_layer < 0 ? 0 : made, s.dialogues, s.text};
  const int64_t logits_dims[] = {k.logits ? made : 0, 2, s.dialogues, s.channels, s.vocab};
  const int64_t fresh = id > 0 ? 0 : s.prompt + made;
  const int64_t kv_dims[] = {k.layers, s.rows, s.kv_heads, fresh, s.dim};
  const struct {
    const void* from;
    const int64_t* dims;
    size_t rank, each;
  } results[] = {{w.tokens, token_dims, 3, sizeof(int64_t)}, {w.ending + made * s.dialogues, &s.dialogues, 1, sizeof(int64_t)}, {nullptr, kv_dims, 5, 0},
                 {nullptr, kv_dims, 5, 0}, {w.shares, alignment_dims, 3, sizeof(float)}, {w.logits, logits_dims, 5, sizeof(float)}};
  for (size_t i = 0; i < 6; i++) {
    void* to = output(context, i, results[i].dims, results[i].rank);
    size_t bytes = results[i].each;
    for (size_t d = 0; d < results[i].rank; d++) bytes *= results[i].dims[d];
    if (bytes > 0) TRY(copy_rows(to, bytes, results[i].from, bytes, bytes, 1, stream));
    if (results[i].from || fresh == 0) continue;
    const Buffer& cache = i == 2 ? kv.keys : kv.values;
    const char* from = static_cast<const char*>(cache.data) + (s.past - s.prompt) * key_bytes;
    TRY(copy_rows(to, fresh * key_bytes, from, pitch, fresh * key_bytes, k.layers * s.rows * s.kv_heads, stream));
  }
  return nullptr;
}

#undef TRY

void* create(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo* info) {
  Kernel* k = new Kernel;
  k->kept.least = 1024;
  const struct {
    const char* name;
    int64_t* value;
  } numbers[] = {{"layers", &k->layers}, {"heads", &k->heads}, {"kv_heads", &k->kv_heads}, {"cross_heads", &k->cross_heads}, {"eos", &k->eos}, {"pad", &k->pad},
                 {"max_delay", &k->max_delay}, {"alignment_layer", &k->alignment_layer}, {"alignment_head", &k->alignment_head}, {"logits", &k->logits}};
  for (const auto& [name, value] : numbers) ort_int_attribute(api, info, name, value);
  ort_float_attribute(api, info, "epsilon", &k->epsilon);
  return k;
}

constexpr int L = ORT_INT64, F = ORT_FLOAT, H = ORT_HALF;
const int IN[] = {L, L, L, L, L, F, L, F, F, L, F, F, H}, OUTPUTS[] = {L, L, H, H, F, F};

/// @param op made by ops.cu with IN and OUTPUTS: its last input takes any number of tensors, the first two stay on the host
void complete(Op& op) {
  op.create = create;
  op.create_v2 = [](const OrtCustomOp* o, const OrtApi* a, const OrtKernelInfo* info, void** kernel) -> OrtStatus* {
    *kernel = create(o, a, info);
    return nullptr;
  };
  op.destroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
  op.input_kind = [](const OrtCustomOp*, size_t i) { return static_cast<int>(i < FIRST_HALF ? ORT_REQUIRED : ORT_VARIADIC); };
  op.input_memory = [](const OrtCustomOp*, size_t i) { return static_cast<int>(i <= CACHE ? ORT_ON_HOST : 0); };
}

}  // namespace dia
}  // namespace
