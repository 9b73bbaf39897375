// Opening columns of booleans, integers, times and addresses, and the checks that every column shares.
#include "poolsift/columns.hpp"

#include <bit>
#include <limits>
#include <stdexcept>

namespace poolsift {

namespace {

struct TypeName {
  const char* format;
  const char* name;
};

/// The Arrow format string in words where users know the word (the interface's table of formats).
std::string type_name(const ArrowSchema& schema) {
  static constexpr TypeName names[] = {
      {"n", "null"},   {"b", "bool"},   {"c", "int8"},   {"C", "uint8"},   {"s", "int16"},   {"S", "uint16"},        {"i", "int32"},
      {"I", "uint32"}, {"l", "int64"},  {"L", "uint64"}, {"e", "float16"}, {"f", "float32"}, {"g", "float64"},       {"u", "string"},
      {"U", "large string"}, {"vu", "string view"}, {"z", "binary"}, {"Z", "large binary"}, {"vz", "binary view"}, {"+s", "struct"},
      {"+l", "list"},  {"+L", "large list"}, {"+r", "run-end encoded"}};
  const std::string_view format = schema.format == nullptr ? std::string_view("(none)") : std::string_view(schema.format);
  std::string text = "Arrow format '" + std::string(format) + "'";
  for (const TypeName& one : names) {
    if (format == one.format) text = one.name;
  }
  if (schema.dictionary != nullptr) text = "dictionary of " + type_name(*schema.dictionary) + " with " + text + " indices";
  return text;
}

std::string named(const RawColumn& raw) { return "column '" + std::string(raw.name) + "'"; }

/// Microseconds are times × unit, or unit ÷ divided_by.
struct TimeUnit {
  const char* prefix;
  std::int64_t times;
  std::int64_t divided_by;
  bool narrow;
};
constexpr TimeUnit time_units[] = {{"tss:", 1'000'000, 1, false}, {"tsm:", 1'000, 1, false}, {"tsu:", 1, 1, false},
                                   {"tsn:", 1, 1'000, false},     {"tdm", 1'000, 1, false},  {"tdD", 86'400'000'000, 1, true}};

bool is_null_type(const ArrowSchema& schema) { return schema.format != nullptr && std::string_view(schema.format) == "n" && schema.dictionary == nullptr; }

bool has_format(const ArrowSchema& schema, std::string_view format) {
  return schema.format != nullptr && format == schema.format && schema.dictionary == nullptr;
}

const void* value_buffer(const RawColumn& raw) {
  const void* values = raw.array->buffers[1];
  if (values == nullptr && raw.rows > 0) broken_column(raw, "the buffer of values is missing");
  static constexpr char nothing[16] = {};
  return values == nullptr ? nothing : values;
}

}  // namespace

void wrong_type(const RawColumn& raw, const char* expected) {
  throw TypeMismatch(named(raw) + ": found " + type_name(*raw.schema) + ", expected " + expected);
}

void broken_row(const RawColumn& raw, std::int64_t row, const std::string& what) {
  throw std::invalid_argument(named(raw) + ", row " + std::to_string(row) + ": " + what);
}

void broken_column(const RawColumn& raw, const std::string& what) { throw std::invalid_argument(named(raw) + ": " + what); }

std::int64_t checked_first(const RawColumn& raw, std::int64_t buffers, std::int64_t children) {
  const ArrowArray& array = *raw.array;
  if (array.release == nullptr) broken_column(raw, "the array is released");
  if (array.length < 0 || array.offset < 0) broken_column(raw, "negative length or offset");
  if (array.n_buffers != buffers) {
    broken_column(raw, "found " + std::to_string(array.n_buffers) + " buffers, expected " + std::to_string(buffers));
  }
  if (array.n_children != children) {
    broken_column(raw, "found " + std::to_string(array.n_children) + " children, expected " + std::to_string(children));
  }
  if (buffers > 0 && array.buffers == nullptr) broken_column(raw, "the list of buffers is missing");
  if (children > 0 && array.children == nullptr) broken_column(raw, "the list of children is missing");
  std::int64_t needed = 0;
  if (__builtin_add_overflow(raw.first, raw.rows, &needed) || needed > array.length) {
    broken_column(raw, "found " + std::to_string(array.length) + " rows, expected " + std::to_string(needed));
  }
  std::int64_t end = 0;
  std::int64_t bytes = 0;  // of the widest element, so that no later product can overflow
  if (__builtin_add_overflow(array.offset, array.length, &end) || __builtin_mul_overflow(end, std::int64_t{32}, &bytes)) {
    broken_column(raw, "offset and length overflow");
  }
  return array.offset + raw.first;
}

BoolColumn::BoolColumn(const RawColumn& raw) {
  if (is_null_type(*raw.schema)) return;
  if (!has_format(*raw.schema, "b")) wrong_type(raw, "bool");
  const std::int64_t first = checked_first(raw, 2, 0);
  validity_ = Validity(raw.array->buffers[0], first);
  values_ = Validity(value_buffer(raw), first);
  absent_ = false;
}

bool IntColumn::takes(const ArrowSchema& schema) noexcept {
  const std::string_view format = schema.format == nullptr ? std::string_view() : std::string_view(schema.format);
  return schema.dictionary == nullptr && format.size() == 1 && std::string_view("ncCsSiIlL").find(format[0]) != std::string_view::npos;
}

IntColumn::IntColumn(const RawColumn& raw) {
  if (!takes(*raw.schema)) wrong_type(raw, "an integer");
  if (is_null_type(*raw.schema)) return;
  format_ = raw.schema->format[0];
  first_ = checked_first(raw, 2, 0);
  validity_ = Validity(raw.array->buffers[0], first_);
  values_ = value_buffer(raw);
}

bool IntColumn::read(std::int64_t row, std::int64_t& out) const noexcept {
  if (values_ == nullptr || !validity_.at(row)) return false;
  const std::int64_t at = first_ + row;
  switch (format_) {
    case 'c': out = load_number<std::int8_t>(values_, at); break;
    case 'C': out = load_number<std::uint8_t>(values_, at); break;
    case 's': out = load_number<std::int16_t>(values_, at); break;
    case 'S': out = load_number<std::uint16_t>(values_, at); break;
    case 'i': out = load_number<std::int32_t>(values_, at); break;
    case 'I': out = load_number<std::uint32_t>(values_, at); break;
    case 'l': out = load_number<std::int64_t>(values_, at); break;
    default: {
      const auto number = load_number<std::uint64_t>(values_, at);
      constexpr auto largest = std::numeric_limits<std::int64_t>::max();
      out = number > static_cast<std::uint64_t>(largest) ? largest : static_cast<std::int64_t>(number);
    }
  }
  return true;
}

TimeColumn::TimeColumn(const RawColumn& raw) {
  if (is_null_type(*raw.schema)) return;
  const std::string_view format = raw.schema->format == nullptr ? std::string_view() : std::string_view(raw.schema->format);
  const TimeUnit* unit = nullptr;
  for (const TimeUnit& one : time_units) {
    if (format.starts_with(one.prefix)) unit = &one;
  }
  if (unit == nullptr || raw.schema->dictionary != nullptr) wrong_type(raw, "a timestamp or date");
  times_ = unit->times;
  divided_by_ = unit->divided_by;
  narrow_ = unit->narrow;
  first_ = checked_first(raw, 2, 0);
  validity_ = Validity(raw.array->buffers[0], first_);
  values_ = value_buffer(raw);
}

bool TimeColumn::read(std::int64_t row, std::int64_t& out) const noexcept {
  if (values_ == nullptr || !validity_.at(row)) return false;
  const std::int64_t at = first_ + row;
  const std::int64_t value = narrow_ ? load_number<std::int32_t>(values_, at) : load_number<std::int64_t>(values_, at);
  constexpr std::int64_t earliest = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max() - 2;  // above it are "no time" and "no end"
  if (__builtin_mul_overflow(value, times_, &out)) out = value < 0 ? earliest : latest;
  if (divided_by_ != 1) out = out / divided_by_ - (out % divided_by_ < 0 ? 1 : 0);
  if (out > latest) out = latest;
  return true;
}

bool AddressColumn::takes(const ArrowSchema& schema) noexcept {
  return TextColumn::takes(schema) || has_format(schema, "w:4") || has_format(schema, "w:16") || has_format(schema, "I");
}

AddressColumn::AddressColumn(const RawColumn& raw) {
  if (!takes(*raw.schema)) wrong_type(raw, "a string, 4 or 16 bytes of fixed size, or uint32");
  if (TextColumn::takes(*raw.schema)) {
    text_ = TextColumn(raw);
    if (text_.entries() > raw.rows) return;  // a dictionary that is hardly used is not worth parsing
    entries_.resize(static_cast<std::size_t>(text_.entries()));
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      std::string_view text;
      if (text_.read_entry(static_cast<std::int64_t>(i), text)) parse_address(text, entries_[i]);
    }
    return;
  }
  if (!has_format(*raw.schema, "I")) width_ = has_format(*raw.schema, "w:4") ? 4 : 16;
  first_ = checked_first(raw, 2, 0);
  validity_ = Validity(raw.array->buffers[0], first_);
  packed_ = static_cast<const char*>(value_buffer(raw));
}

bool AddressColumn::read(std::int64_t row, Address& out) const noexcept {
  if (!entries_.empty()) {
    const std::int64_t at = text_.entry(row);
    if (at >= 0) out = entries_[static_cast<std::size_t>(at)];
    return at >= 0 && out.family != 0;
  }
  if (packed_ == nullptr) {
    std::string_view text;
    return text_.read(row, text) && parse_address(text, out);
  }
  if (!validity_.at(row)) return false;
  if (width_ != 0) return address_from_packed({packed_ + (first_ + row) * width_, static_cast<std::size_t>(width_)}, out);
  const auto number = load_number<std::uint32_t>(packed_, first_ + row);
  const char bytes[4] = {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8), static_cast<char>(number)};
  return address_from_packed({bytes, sizeof bytes}, out);
}

}  // namespace poolsift
