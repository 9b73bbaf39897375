// Opening columns of text: offsets, views, dictionaries and runs, each checked in full.
#include <limits>
#include <string>
#include <type_traits>

#include "poolsift/columns.hpp"

namespace poolsift {

namespace {

constexpr const char* expected_text = "a string or binary of any layout, a dictionary or runs of those, or null";
constexpr std::int64_t inline_size = 12;  ///< a view holds texts up to this size itself
constexpr std::int64_t view_size = 16;

std::string_view format_of(const ArrowSchema& schema) noexcept { return schema.format == nullptr ? std::string_view() : schema.format; }

bool is_plain_text(std::string_view format) noexcept {
  return format == "u" || format == "U" || format == "vu" || format == "z" || format == "Z" || format == "vz" || format == "n";
}

bool is_index(std::string_view format) noexcept {
  return format.size() == 1 && std::string_view("cCsSiIlL").find(format[0]) != std::string_view::npos;
}

/// The values of a dictionary or of runs, whole: their own offset is theirs, the batch's is not.
RawColumn whole(const RawColumn& raw, const ArrowSchema* schema, const ArrowArray* array) {
  if (schema == nullptr || array == nullptr) broken_column(raw, "the values of the encoding are missing");
  return {raw.name, schema, array, 0, array->length};
}

}  // namespace

bool TextColumn::takes(const ArrowSchema& schema) noexcept {
  const std::string_view format = format_of(schema);
  if (schema.dictionary != nullptr) return is_index(format) && schema.dictionary->dictionary == nullptr && takes(*schema.dictionary);
  if (format != "+r") return is_plain_text(format);
  if (schema.n_children != 2 || schema.children == nullptr || schema.children[0] == nullptr || schema.children[1] == nullptr) return false;
  const std::string_view ends = format_of(*schema.children[0]);
  return (ends == "s" || ends == "i" || ends == "l") && format_of(*schema.children[1]) != "+r" && takes(*schema.children[1]);
}

TextColumn::TextColumn(const RawColumn& raw) {
  if (!takes(*raw.schema)) wrong_type(raw, expected_text);
  const std::string_view format = format_of(*raw.schema);
  if (raw.schema->dictionary != nullptr) {
    open_dictionary(raw);
  } else if (format == "+r") {
    open_runs(raw);
  } else if (format[0] == 'v') {
    open_views(raw);
  } else if (format == "u" || format == "z") {
    open_offsets<std::int32_t>(raw);
  } else if (format != "n") {
    open_offsets<std::int64_t>(raw);
  }
}

template <typename Offset>
void TextColumn::open_offsets(const RawColumn& raw) {
  first_ = checked_first(raw, 3, 0);
  validity_ = Validity(raw.array->buffers[0], first_);
  if (raw.rows == 0) return;  // buffers of an empty array may be missing
  offsets_ = raw.array->buffers[1];
  data_ = static_cast<const char*>(raw.array->buffers[2]);
  layout_ = std::is_same_v<Offset, std::int32_t> ? Layout::narrow : Layout::wide;
  if (offsets_ == nullptr) broken_column(raw, "the buffer of offsets is missing");
  const auto at = [&](std::int64_t row) { return load_number<Offset>(offsets_, first_ + row); };
  bool decreasing = false;  // one branch for all rows, so that the loop becomes vector code
  for (std::int64_t row = 0; row < raw.rows; ++row) decreasing |= at(row + 1) < at(row);
  if (at(0) < 0) broken_row(raw, 0, "negative offset " + std::to_string(at(0)));
  for (std::int64_t row = 0; decreasing && row < raw.rows; ++row) {
    if (at(row + 1) < at(row)) broken_row(raw, row, "offsets decrease from " + std::to_string(at(row)) + " to " + std::to_string(at(row + 1)));
  }
  if (data_ == nullptr && at(raw.rows) > at(0)) broken_column(raw, "the buffer of text is missing");
  if (data_ == nullptr) data_ = "";
}

void TextColumn::open_views(const RawColumn& raw) {
  const std::int64_t buffers = raw.array->n_buffers;
  if (buffers < 3) broken_column(raw, "found " + std::to_string(buffers) + " buffers, expected at least 3");
  first_ = checked_first(raw, buffers, 0);
  validity_ = Validity(raw.array->buffers[0], first_);
  if (raw.rows == 0) return;
  offsets_ = raw.array->buffers[1];
  variadic_ = raw.array->buffers + 2;
  layout_ = Layout::views;
  const auto* sizes = static_cast<const std::int64_t*>(raw.array->buffers[buffers - 1]);
  if (offsets_ == nullptr) broken_column(raw, "the buffer of views is missing");
  if (buffers > 3 && sizes == nullptr) broken_column(raw, "the sizes of the buffers are missing");
  for (std::int64_t row = 0; row < raw.rows; ++row) {
    if (validity_.at(row)) check_view(raw, row, sizes, buffers - 3);
  }
}

void TextColumn::check_view(const RawColumn& raw, std::int64_t row, const std::int64_t* sizes, std::int64_t buffers) const {
  const char* at = static_cast<const char*>(offsets_) + (first_ + row) * view_size;
  const auto size = load_number<std::int32_t>(at, 0);
  if (size < 0) broken_row(raw, row, "view of negative length " + std::to_string(size));
  if (size <= inline_size) return;
  const auto buffer = load_number<std::int32_t>(at, 2);
  const auto offset = load_number<std::int32_t>(at, 3);
  if (buffer < 0 || buffer >= buffers) {
    broken_row(raw, row, "view into buffer " + std::to_string(buffer) + " of " + std::to_string(buffers));
  }
  const auto available = load_number<std::int64_t>(sizes, buffer);
  if (offset < 0 || available - offset < size) {
    broken_row(raw, row, "view of " + std::to_string(size) + " bytes from " + std::to_string(offset) + " in a buffer of " + std::to_string(available));
  }
  if (variadic_[buffer] == nullptr) broken_row(raw, row, "view into a missing buffer");
  if (std::memcmp(at + 4, static_cast<const char*>(variadic_[buffer]) + offset, 4) != 0) broken_row(raw, row, "view whose prefix is not that of its text");
}

bool TextColumn::view(std::int64_t row, std::string_view& out) const noexcept {
  const char* at = static_cast<const char*>(offsets_) + (first_ + row) * view_size;
  const auto size = load_number<std::int32_t>(at, 0);
  const char* text = at + 4;
  if (size > inline_size) text = static_cast<const char*>(variadic_[load_number<std::int32_t>(at, 2)]) + load_number<std::int32_t>(at, 3);
  out = {text, static_cast<std::size_t>(size)};
  return true;
}

void TextColumn::open_dictionary(const RawColumn& raw) {
  first_ = checked_first(raw, 2, 0);
  validity_ = Validity(raw.array->buffers[0], first_);
  const RawColumn values = whole(raw, raw.schema->dictionary, raw.array->dictionary);
  values_ = std::make_unique<TextColumn>(values);
  entries_ = values.rows;
  if (raw.rows == 0) return;
  offsets_ = raw.array->buffers[1];
  layout_ = Layout::encoded;
  if (offsets_ == nullptr) broken_column(raw, "the buffer of indices is missing");
  switch (raw.schema->format[0]) {
    case 'c': return width_ = 1, check_indices<std::int8_t>(raw);
    case 'C': return width_ = 1, check_indices<std::uint8_t>(raw);
    case 's': return width_ = 2, check_indices<std::int16_t>(raw);
    case 'S': return width_ = 2, check_indices<std::uint16_t>(raw);
    case 'i': return width_ = 4, check_indices<std::int32_t>(raw);
    case 'I': return width_ = 4, check_indices<std::uint32_t>(raw);
    case 'l': return width_ = 8, check_indices<std::int64_t>(raw);
    default: return width_ = 8, check_indices<std::uint64_t>(raw);
  }
}

template <typename Index>
void TextColumn::check_indices(const RawColumn& raw) const {
  using Unsigned = std::make_unsigned_t<Index>;
  // A negative index is a large one when read without sign, unless the dictionary is larger still.
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  const auto entries = static_cast<std::uint64_t>(entries_);
  const std::uint64_t limit = entries > largest ? largest + 1 : entries;
  const auto outside = [&](std::int64_t row) { return load_number<Unsigned>(offsets_, first_ + row) >= limit; };
  bool any = false;
  for (std::int64_t row = 0; row < raw.rows; ++row) any |= outside(row);
  for (std::int64_t row = 0; any && row < raw.rows; ++row) {
    if (!validity_.at(row) || !outside(row)) continue;  // what a null slot holds does not matter
    const auto found = load_number<Index>(offsets_, first_ + row);
    broken_row(raw, row, "dictionary index " + std::to_string(found) + " of " + std::to_string(entries_) + " entries");
  }
}

void TextColumn::open_runs(const RawColumn& raw) {
  const std::int64_t first = checked_first(raw, 0, 2);
  const RawColumn ends = whole(raw, raw.schema->children[0], raw.array->children[0]);
  const RawColumn values = whole(raw, raw.schema->children[1], raw.array->children[1]);
  const IntColumn run_ends(ends);
  values_ = std::make_unique<TextColumn>(values);
  entries_ = values.rows;
  if (raw.rows == 0) return;
  runs_.resize(static_cast<std::size_t>(raw.rows));
  std::int64_t run = -1;
  std::int64_t end = 0;
  for (std::int64_t row = 0; row < raw.rows; ++row) {
    while (first + row >= end) {
      const std::int64_t before = end;
      if (++run >= ends.rows || run >= values.rows) broken_row(raw, row, "the runs end before the column does");
      if (!run_ends.read(run, end) || end <= before) broken_row(raw, row, "run ends do not increase");
    }
    runs_[static_cast<std::size_t>(row)] = static_cast<std::uint32_t>(run);
  }
  if (entries_ > std::numeric_limits<std::uint32_t>::max()) broken_column(raw, "too many runs");
  offsets_ = runs_.data();
  width_ = 4;
  layout_ = Layout::encoded;
}

}  // namespace poolsift
