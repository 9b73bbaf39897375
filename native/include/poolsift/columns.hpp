// Typed, validated views of Arrow columns: everything is checked when a column is opened, so reading is noexcept and trusts.
// What the C data interface cannot show (the size of a buffer) is the producer's word; all else is checked here.
#pragma once

#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "poolsift/address.hpp"
#include "poolsift/arrow_abi.hpp"

namespace poolsift {

/// A column has a type that its meaning does not allow. A bad_cast, which Cython turns into TypeError.
class TypeMismatch : public std::bad_cast {
 public:
  explicit TypeMismatch(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// One child of the record batch as its producer handed it over. `first` is the batch's own offset into it, `rows` its length.
struct RawColumn {
  std::string_view name;
  const ArrowSchema* schema = nullptr;
  const ArrowArray* array = nullptr;
  std::int64_t first = 0;
  std::int64_t rows = 0;
};

/// Buffers need not be aligned, so numbers are copied out.
template <typename Number>
Number load_number(const void* buffer, std::int64_t at) noexcept {
  Number number;
  std::memcpy(&number, static_cast<const char*>(buffer) + at * static_cast<std::int64_t>(sizeof(Number)), sizeof number);
  return number;
}

/// Which rows hold a value. Without a bitmap all do, whatever null_count says.
class Validity {
 public:
  Validity() = default;
  Validity(const void* bits, std::int64_t first) : bits_(static_cast<const std::uint8_t*>(bits)), first_(first) {}
  bool all() const noexcept { return bits_ == nullptr; }
  bool at(std::int64_t row) const noexcept {
    if (bits_ == nullptr) return true;
    const std::uint64_t at = static_cast<std::uint64_t>(first_ + row);
    return bits_[at >> 3] >> (at & 7) & 1;
  }

 private:
  const std::uint8_t* bits_ = nullptr;
  std::int64_t first_ = 0;
};

/// Text or bytes in any of Arrow's layouts; plain, dictionary- or run-end-encoded. A default one holds no value in any row.
class TextColumn {
 public:
  TextColumn() = default;
  /// Throws TypeMismatch or std::invalid_argument naming the column, and the row where there is one.
  explicit TextColumn(const RawColumn& raw);
  static bool takes(const ArrowSchema& schema) noexcept;

  bool absent() const noexcept { return layout_ == Layout::absent; }

  /// False for null; `out` may then hold anything.
  bool read(std::int64_t row, std::string_view& out) const noexcept {
    switch (layout_) {
      case Layout::absent: return false;
      case Layout::narrow: return validity_.at(row) && slice<std::int32_t>(row, out);
      case Layout::wide: return validity_.at(row) && slice<std::int64_t>(row, out);
      case Layout::views: return validity_.at(row) && view(row, out);
      case Layout::encoded: break;
    }
    const std::int64_t at = entry(row);
    return at >= 0 && values_->read(at, out);
  }

  /// How many dictionary entries or runs the column has; 0 unless it is encoded.
  std::int64_t entries() const noexcept { return layout_ == Layout::encoded ? entries_ : 0; }
  /// Which of them a row holds; -1 for null. Only of an encoded column.
  std::int64_t entry(std::int64_t row) const noexcept { return validity_.at(row) ? index(row) : -1; }
  /// The text of one of them; false for null.
  bool read_entry(std::int64_t at, std::string_view& out) const noexcept { return values_->read(at, out); }

 private:
  enum class Layout : std::uint8_t { absent, narrow, wide, views, encoded };

  template <typename Offset>
  bool slice(std::int64_t row, std::string_view& out) const noexcept {
    const Offset begin = load_number<Offset>(offsets_, first_ + row);
    const Offset end = load_number<Offset>(offsets_, first_ + row + 1);
    out = {data_ + begin, static_cast<std::size_t>(end - begin)};
    return true;
  }
  bool view(std::int64_t row, std::string_view& out) const noexcept;
  std::int64_t index(std::int64_t row) const noexcept {
    switch (width_) {
      case 1: return load_number<std::uint8_t>(offsets_, first_ + row);
      case 2: return load_number<std::uint16_t>(offsets_, first_ + row);
      case 4: return load_number<std::uint32_t>(offsets_, first_ + row);
      default: return load_number<std::int64_t>(offsets_, first_ + row);
    }
  }

  template <typename Offset>
  void open_offsets(const RawColumn& raw);
  void open_views(const RawColumn& raw);
  void check_view(const RawColumn& raw, std::int64_t row, const std::int64_t* sizes, std::int64_t buffers) const;
  void open_dictionary(const RawColumn& raw);
  template <typename Index>
  void check_indices(const RawColumn& raw) const;
  void open_runs(const RawColumn& raw);

  Layout layout_ = Layout::absent;
  std::uint8_t width_ = 0;
  Validity validity_;
  std::int64_t first_ = 0;
  std::int64_t entries_ = 0;
  const void* offsets_ = nullptr;  ///< offsets, views or indices
  const char* data_ = nullptr;
  const void* const* variadic_ = nullptr;
  std::unique_ptr<TextColumn> values_;
  std::vector<std::uint32_t> runs_;  ///< run of each row, where the column is run-end-encoded
};

/// Booleans as facts: 0 unknown, 1 no, 2 yes.
class BoolColumn {
 public:
  BoolColumn() = default;
  explicit BoolColumn(const RawColumn& raw);
  bool absent() const noexcept { return absent_; }
  std::uint8_t read(std::int64_t row) const noexcept {
    if (absent_) return 0;
    const unsigned recorded = validity_.at(row) ? 1 : 0;  // arithmetic, not branches: nobody can guess them
    const unsigned value = values_.at(row) ? 1 : 0;
    return static_cast<std::uint8_t>(recorded + (recorded & value));
  }

 private:
  bool absent_ = true;
  Validity validity_;
  Validity values_;
};

/// Integers of any width; those beyond 63 bits count as the largest.
class IntColumn {
 public:
  IntColumn() = default;
  explicit IntColumn(const RawColumn& raw);
  static bool takes(const ArrowSchema& schema) noexcept;
  bool absent() const noexcept { return values_ == nullptr; }
  bool read(std::int64_t row, std::int64_t& out) const noexcept;

 private:
  Validity validity_;
  const void* values_ = nullptr;
  std::int64_t first_ = 0;
  char format_ = 0;
};

/// Timestamps of any unit (Arrow holds them in UTC whatever the zone) and dates, in microseconds since 1970.
class TimeColumn {
 public:
  TimeColumn() = default;
  explicit TimeColumn(const RawColumn& raw);
  bool absent() const noexcept { return values_ == nullptr; }
  /// False for null. Times beyond 64 bits of microseconds count as the first or last that fits.
  bool read(std::int64_t row, std::int64_t& out) const noexcept;

 private:
  Validity validity_;
  const void* values_ = nullptr;
  std::int64_t first_ = 0;
  std::int64_t times_ = 1;
  std::int64_t divided_by_ = 1;
  bool narrow_ = false;
};

/// IP addresses: text, 4 or 16 packed bytes, or the number of an IPv4 address.
class AddressColumn {
 public:
  AddressColumn() = default;
  explicit AddressColumn(const RawColumn& raw);
  static bool takes(const ArrowSchema& schema) noexcept;
  bool absent() const noexcept { return packed_ == nullptr && text_.absent(); }
  /// False for null and for what is no address.
  bool read(std::int64_t row, Address& out) const noexcept;

 private:
  TextColumn text_;
  std::vector<Address> entries_;  ///< of encoded text, each parsed once
  Validity validity_;
  const char* packed_ = nullptr;
  std::int64_t first_ = 0;
  std::int64_t width_ = 0;  ///< 4 or 16 packed bytes; 0: a uint32 number
};

/// "column 'spf': found int64, expected a string", thrown as TypeMismatch.
[[noreturn]] void wrong_type(const RawColumn& raw, const char* expected);
/// "column 'spf', row 7: what", thrown as std::invalid_argument.
[[noreturn]] void broken_row(const RawColumn& raw, std::int64_t row, const std::string& what);
[[noreturn]] void broken_column(const RawColumn& raw, const std::string& what);

/// Checks length, offset, buffers and children against one another; gives the place of the batch's first row in the buffers.
std::int64_t checked_first(const RawColumn& raw, std::int64_t buffers, std::int64_t children);

}  // namespace poolsift
