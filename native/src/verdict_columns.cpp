// Memory of the verdict columns, and the bitmaps that turn "none" into null.
#include "poolsift/verdict_columns.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace poolsift {

namespace {
constexpr std::size_t byte_columns = 9;
constexpr std::size_t alignment = 64;
}  // namespace

TextBuilder::TextBuilder(std::int64_t rows)
    : offsets_(std::make_unique_for_overwrite<std::int32_t[]>(static_cast<std::size_t>(rows) + 1)), validity_(static_cast<std::size_t>(rows + 7) / 8) {
  offsets_[0] = 0;
  grow(0);
}

void TextBuilder::grow(std::size_t more) {
  if (size_ + more > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw std::length_error("the text of one verdict column has more than 2^31 - 1 bytes: split the batch");
  }
  capacity_ = std::max(2 * capacity_, size_ + more + slack);
  auto wider = std::make_unique_for_overwrite<char[]>(capacity_);  // not cleared: only what is written is handed out
  if (size_ != 0) std::memcpy(wider.get(), data_.get(), size_);
  data_ = std::move(wider);
}

VerdictColumns::VerdictColumns(std::int64_t row_count, std::size_t compared, bool with_overlay)
    : rows(row_count), evidence(std::make_unique_for_overwrite<std::uint32_t[]>(static_cast<std::size_t>(row_count))), sender_domain(row_count), srs_sender(row_count) {
  const std::size_t stride = (static_cast<std::size_t>(row_count) + alignment - 1) / alignment * alignment;
  bytes_ = std::make_unique_for_overwrite<std::uint8_t[]>(stride * (byte_columns + compared + (with_overlay ? 1 : 0)));
  std::uint8_t* at = bytes_.get();
  for (std::uint8_t** column : {&pool, &rule, &candidates, &observed_pool, &observed_from, &agreement, &fix, &sender_from, &spf_from}) {
    *column = at;
    std::memset(at + row_count, 0, stride - static_cast<std::size_t>(row_count));  // the padding is read when bitmaps are built
    at += stride;
  }
  for (std::size_t i = 0; i < compared; ++i, at += stride) compare.push_back(at);
  if (with_overlay) overlaid = at;
}

}  // namespace poolsift
