// The verdict columns of one batch: filled by the classifier, handed out once as an Arrow struct array that owns its memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "poolsift/arrow_abi.hpp"

namespace poolsift {

/// Text with nulls, appended row by row from the first on.
class TextBuilder {
 public:
  explicit TextBuilder(std::int64_t rows);
  /// Throws std::length_error beyond 2^31 - 1 bytes in all.
  void append(std::string_view text) {
    make_room(text.size());
    std::memcpy(data_.get() + size_, text.data(), text.size());
    finish(text.size());
  }
  /// The same for a text after which 32 more bytes can be read: short ones are copied whole vectors at a time.
  void append_padded(std::string_view text) {
    make_room(text.size());
    char* to = data_.get() + size_;
    std::memcpy(to, text.data(), slack);
    if (text.size() > slack) std::memcpy(to + slack, text.data() + slack, text.size() - slack);
    finish(text.size());
  }
  void append_null() noexcept { offsets_[static_cast<std::size_t>(++rows_)] = static_cast<std::int32_t>(size_); }

  std::int64_t nulls() const noexcept { return rows_ - valid_; }
  const void* validity() const noexcept { return validity_.data(); }
  const void* offsets() const noexcept { return offsets_.get(); }
  const void* data() const noexcept { return data_.get(); }

 private:
  static constexpr std::size_t slack = 32;
  void make_room(std::size_t more) {
    if (size_ + more + slack > capacity_) grow(more);
  }
  void grow(std::size_t more);
  void finish(std::size_t more) noexcept {
    size_ += more;
    validity_[static_cast<std::size_t>(rows_ >> 3)] |= static_cast<std::uint8_t>(1U << (rows_ & 7));
    offsets_[static_cast<std::size_t>(++rows_)] = static_cast<std::int32_t>(size_);
    ++valid_;
  }

  std::int64_t rows_ = 0;
  std::int64_t valid_ = 0;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::unique_ptr<std::int32_t[]> offsets_;
  std::vector<std::uint8_t> validity_;  ///< a bit a row
  std::unique_ptr<char[]> data_;
};

/// Byte columns hold the numbers of verdict.hpp, `no_value` for null where the column is nullable. Every row is to be written.
struct VerdictColumns {
  VerdictColumns(std::int64_t rows, std::size_t compared, bool with_overlay);

  std::int64_t rows;
  std::unique_ptr<std::uint32_t[]> evidence;
  std::uint8_t* pool;
  std::uint8_t* rule;
  std::uint8_t* candidates;
  std::uint8_t* observed_pool;  // nullable from here to spf_from
  std::uint8_t* observed_from;
  std::uint8_t* agreement;
  std::uint8_t* fix;
  std::uint8_t* sender_from;
  std::uint8_t* spf_from;
  std::uint8_t* overlaid = nullptr;  ///< a bit for each fact that an overlay changed; null: there is no overlay
  std::vector<std::uint8_t*> compare;
  TextBuilder sender_domain;
  TextBuilder srs_sender;

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
};

/// Moves the columns out. `rules` are the words of the rule column. On an exception nothing has been handed out.
void export_verdicts(std::unique_ptr<VerdictColumns> columns, const std::vector<std::string>& rules, ArrowSchema* schema, ArrowArray* array);

}  // namespace poolsift
