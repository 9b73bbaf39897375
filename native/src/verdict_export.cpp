// The verdict columns as an Arrow struct array: every array keeps the common memory alive until it is released.
#include <array>
#include <algorithm>
#include <atomic>
#include <cstring>

#include "poolsift/verdict.hpp"
#include "poolsift/verdict_columns.hpp"

namespace poolsift {

namespace {

/// A dictionary: words one after another.
struct Words {
  template <typename List>
  explicit Words(const List& list) {
    offsets.push_back(0);
    for (const auto& word : list) {
      text += word;
      offsets.push_back(static_cast<std::int32_t>(text.size()));
    }
  }
  std::vector<std::int32_t> offsets;
  std::string text;
};

template <const auto& List>
const Words& constant_words() {
  static const Words words(List);
  return words;
}

struct Column {
  const char* name;
  const char* format;
};
constexpr Column columns_in_order[] = {{"pool", "c"}, {"rule", "c"}, {"evidence", "I"}, {"candidates", "C"}, {"observed_pool", "c"}, {"observed_from", "c"},
                                       {"agreement", "c"}, {"fix", "c"}, {"sender_domain", "u"}, {"sender_from", "c"}, {"spf_from", "c"}, {"srs_sender", "u"}};
constexpr std::size_t fixed_columns = std::size(columns_in_order);
constexpr Column overlaid_column{"overlaid", "C"};  ///< after them, where there is an overlay

/// What all arrays of one export share; dies with the last of them.
struct Memory {
  std::atomic<std::int64_t> holders{0};
  std::unique_ptr<VerdictColumns> columns;
  std::unique_ptr<Words> rules;
  std::vector<std::vector<std::uint8_t>> bitmaps;
  std::vector<ArrowArray> children, dictionaries;
  std::vector<ArrowArray*> child_pointers;
  std::vector<std::array<const void*, 3>> buffers;
};

void release_array(ArrowArray* array) {
  for (std::int64_t i = 0; i < array->n_children; ++i) {
    if (array->children[i]->release != nullptr) array->children[i]->release(array->children[i]);
  }
  if (array->dictionary != nullptr && array->dictionary->release != nullptr) array->dictionary->release(array->dictionary);
  auto* memory = static_cast<Memory*>(array->private_data);
  array->release = nullptr;
  if (memory->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete memory;
}

ArrowArray array_of(Memory& memory, std::int64_t length, std::int64_t nulls, std::initializer_list<const void*> buffers) {
  auto& list = memory.buffers.emplace_back();  // reserved: the address stays
  std::copy(buffers.begin(), buffers.end(), list.begin());
  ++memory.holders;
  return {length, nulls, 0, static_cast<std::int64_t>(buffers.size()), 0, list.data(), nullptr, nullptr, release_array, &memory};
}

void add_child(Memory& memory, const ArrowArray& array) { memory.children.push_back(array); }

void add_words(Memory& memory, const std::uint8_t* numbers, std::int64_t nulls, const void* bitmap, const Words& words) {
  ArrowArray& dictionary = memory.dictionaries.emplace_back(
      array_of(memory, static_cast<std::int64_t>(words.offsets.size()) - 1, 0, {nullptr, words.offsets.data(), words.text.data()}));
  ArrowArray array = array_of(memory, memory.columns->rows, nulls, {nulls == 0 ? nullptr : bitmap, numbers});
  array.dictionary = &dictionary;
  add_child(memory, array);
}

/// Builds the bitmap of a column and puts 0 where `no_value` stands. Eight rows at a time: numbers are below 128, so the top bit of a byte says
/// "none"; 0x0102040810204080 gathers the eight bits, byte 0 into bit 0: bytes 0 and 2 none, 0x00010001 × it >> 56 = 0b101.
void add_nullable(Memory& memory, std::uint8_t* numbers, const Words& words) {
  constexpr std::uint64_t ones = 0x0101010101010101ULL;
  const std::int64_t rows = memory.columns->rows;
  auto& bitmap = memory.bitmaps.emplace_back(static_cast<std::size_t>(rows + 7) / 8);
  std::int64_t nulls = 0;
  for (std::size_t at = 0; at < bitmap.size(); ++at) {  // the column is padded to 64 bytes with 0, which is no null
    std::uint64_t eight;
    std::memcpy(&eight, numbers + at * 8, sizeof eight);
    const std::uint64_t none = eight >> 7 & ones;
    bitmap[at] = static_cast<std::uint8_t>(~(none * 0x0102040810204080ULL >> 56));
    nulls += __builtin_popcountll(none);
    eight &= ~(none * 0xFF);
    std::memcpy(numbers + at * 8, &eight, sizeof eight);
  }
  add_words(memory, numbers, nulls, bitmap.data(), words);
}

void add_text(Memory& memory, const TextBuilder& text) {
  add_child(memory, array_of(memory, memory.columns->rows, text.nulls(), {text.nulls() == 0 ? nullptr : text.validity(), text.offsets(), text.data()}));
}

void add_columns(Memory& memory) {
  const VerdictColumns& columns = *memory.columns;
  add_words(memory, columns.pool, 0, nullptr, constant_words<pool_words>());
  add_words(memory, columns.rule, 0, nullptr, *memory.rules);
  add_child(memory, array_of(memory, columns.rows, 0, {nullptr, columns.evidence.get()}));
  add_child(memory, array_of(memory, columns.rows, 0, {nullptr, columns.candidates}));
  add_nullable(memory, columns.observed_pool, constant_words<observed_words>());
  add_nullable(memory, columns.observed_from, constant_words<observed_from_words>());
  add_words(memory, columns.agreement, 0, nullptr, constant_words<agreement_words>());
  add_nullable(memory, columns.fix, constant_words<fix_words>());
  add_text(memory, columns.sender_domain);
  add_nullable(memory, columns.sender_from, constant_words<sender_from_words>());
  add_nullable(memory, columns.spf_from, constant_words<spf_from_words>());
  add_text(memory, columns.srs_sender);
  if (columns.overlaid != nullptr) add_child(memory, array_of(memory, columns.rows, 0, {nullptr, columns.overlaid}));
  for (const std::uint8_t* pools : columns.compare) add_child(memory, array_of(memory, columns.rows, 0, {nullptr, pools}));
}

ArrowArray build_array(std::unique_ptr<Memory> memory) {
  const std::size_t count = fixed_columns + memory->columns->compare.size() + (memory->columns->overlaid != nullptr ? 1 : 0);
  memory->children.reserve(count);
  memory->dictionaries.reserve(count);
  memory->bitmaps.reserve(count);
  memory->buffers.reserve(2 * count + 1);
  add_columns(*memory);
  for (ArrowArray& child : memory->children) memory->child_pointers.push_back(&child);
  ArrowArray root = array_of(*memory, memory->columns->rows, 0, {nullptr});
  root.n_children = static_cast<std::int64_t>(count);
  root.children = memory->child_pointers.data();
  memory.release();  // from here on the arrays hold it
  return root;
}

/// The schema's strings and structs; dies with the last of them.
struct SchemaMemory {
  std::atomic<std::int64_t> holders{0};
  std::vector<std::string> names;
  std::vector<ArrowSchema> children, dictionaries;
  std::vector<ArrowSchema*> child_pointers;
};

void release_schema(ArrowSchema* schema) {
  for (std::int64_t i = 0; i < schema->n_children; ++i) {
    if (schema->children[i]->release != nullptr) schema->children[i]->release(schema->children[i]);
  }
  if (schema->dictionary != nullptr && schema->dictionary->release != nullptr) schema->dictionary->release(schema->dictionary);
  auto* memory = static_cast<SchemaMemory*>(schema->private_data);
  schema->release = nullptr;
  if (memory->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete memory;
}

ArrowSchema schema_of(SchemaMemory& memory, const char* format, const char* name) {
  ++memory.holders;
  return {format, name, nullptr, ARROW_FLAG_NULLABLE, 0, nullptr, nullptr, release_schema, &memory};
}

ArrowSchema build_schema(std::unique_ptr<SchemaMemory> memory, std::size_t compared, bool with_overlay) {
  const std::size_t count = fixed_columns + compared + (with_overlay ? 1 : 0);
  memory->names.reserve(compared);
  memory->children.reserve(count);
  memory->dictionaries.reserve(count);
  memory->child_pointers.reserve(count);
  for (const Column& column : columns_in_order) {
    ArrowSchema child = schema_of(*memory, column.format, column.name);
    if (column.format[0] == 'c') child.dictionary = &memory->dictionaries.emplace_back(schema_of(*memory, "u", ""));
    memory->children.push_back(child);
  }
  if (with_overlay) memory->children.push_back(schema_of(*memory, overlaid_column.format, overlaid_column.name));
  for (std::size_t i = 0; i < compared; ++i) {
    memory->children.push_back(schema_of(*memory, "C", memory->names.emplace_back("compare_" + std::to_string(i)).c_str()));
  }
  for (ArrowSchema& child : memory->children) memory->child_pointers.push_back(&child);
  ArrowSchema root = schema_of(*memory, "+s", "");
  root.flags = 0;
  root.n_children = static_cast<std::int64_t>(count);
  root.children = memory->child_pointers.data();
  memory.release();  // from here on the schemas hold it
  return root;
}

}  // namespace

void export_verdicts(std::unique_ptr<VerdictColumns> columns, const std::vector<std::string>& rules, ArrowSchema* schema, ArrowArray* array) {
  const std::size_t compared = columns->compare.size();
  const bool with_overlay = columns->overlaid != nullptr;
  auto memory = std::make_unique<Memory>();
  memory->columns = std::move(columns);
  memory->rules = std::make_unique<Words>(rules);
  ArrowArray built = build_array(std::move(memory));
  try {
    *schema = build_schema(std::make_unique<SchemaMemory>(), compared, with_overlay);
  } catch (...) {
    release_array(&built);
    throw;
  }
  *array = built;
}

}  // namespace poolsift
