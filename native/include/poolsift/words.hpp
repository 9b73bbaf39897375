// Short words of a closed vocabulary, compared ignoring ASCII case, and the folding they need.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>

namespace poolsift {

/// Eight bytes with ASCII capitals made small, all at once. 'A' (0x41) + 0x3F = 0x80 sets the top bit, 'Z' (0x5A) + 0x25 = 0x7F does not:
/// a byte is a capital where the first sum has it and the second has not; 0x80 >> 2 = 0x20 is the bit between the cases.
constexpr std::uint64_t fold_eight(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101ULL;
  const std::uint64_t low = bytes & (0x7F * ones);
  const std::uint64_t from_a = low + 0x3F * ones;
  const std::uint64_t beyond_z = low + 0x25 * ones;
  const std::uint64_t capital = from_a & ~beyond_z & ~bytes & (0x80 * ones);
  return bytes | capital >> 2;
}

inline std::uint64_t load_eight(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

inline std::uint64_t load_four(const char* at) noexcept {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Up to eight bytes as a number that no other text of the same length has; reads nothing outside the text.
inline std::uint64_t load_short(const char* at, std::size_t size) noexcept {
  if (size >= 8) return load_eight(at);
  if (size >= 4) return load_four(at) | load_four(at + size - 4) << 32;
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i) word |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
  return word;
}

/// `text` with ASCII capitals made small; `out` holds at least `text.size()` bytes.
inline void fold_text(std::string_view text, char* out) noexcept {
  const std::size_t size = text.size();
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i) {
      const char byte = text[i];
      out[i] = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
    }
    return;
  }
  const auto fold_at = [&](std::size_t at) {
    const std::uint64_t folded = fold_eight(load_eight(text.data() + at));
    std::memcpy(out + at, &folded, sizeof folded);
  };
  for (std::size_t at = 0; at + 8 <= size; at += 8) fold_at(at);
  fold_at(size - 8);  // the tail overlaps what is done already
}

/// Whether `text` is `lower_case`, ASCII case of `text` ignored.
inline bool folds_to(std::string_view text, std::string_view lower_case) noexcept {
  const std::size_t size = text.size();
  if (size != lower_case.size()) return false;
  if (size < 8) return size == 0 || fold_eight(load_short(text.data(), size)) == load_short(lower_case.data(), size);
  const auto differs = [&](std::size_t at) { return fold_eight(load_eight(text.data() + at)) ^ load_eight(lower_case.data() + at); };
  std::uint64_t difference = differs(size - 8);
  for (std::size_t at = 0; at + 8 <= size && difference == 0; at += 8) difference |= differs(at);
  return difference == 0;
}

/// Whether both texts of this size are equal; for short ones, without a call.
inline bool same_bytes(const char* one, const char* other, std::size_t size) noexcept {
  if (size < 8) return load_short(one, size) == load_short(other, size);
  std::uint64_t difference = load_eight(one + size - 8) ^ load_eight(other + size - 8);
  for (std::size_t at = 0; at + 8 <= size && difference == 0; at += 8) difference |= load_eight(one + at) ^ load_eight(other + at);
  return difference == 0;
}

/// A set of at most 32 words of 1 to 16 bytes, each with a number from 1 up. The words are ours, so the hash needs no key.
class WordTable {
 public:
  WordTable() = default;
  /// Numbers the words 1, 2, …; throws std::invalid_argument when one does not fit.
  WordTable(std::initializer_list<std::string_view> words);
  void add(std::string_view word, std::uint8_t number);

  /// The number of `text`, ASCII case ignored; 0 when it is none of the words.
  std::uint8_t lookup(std::string_view text) const noexcept {
    if (text.empty() || text.size() > max_size) return 0;
    const Slot wanted = slot_of(text);
    for (unsigned at = place_of(wanted);; at = (at + 1) % slots_.size()) {
      const Slot& slot = slots_[at];
      if (slot.size == wanted.size && slot.head == wanted.head && slot.tail == wanted.tail) return slot.number;
      if (slot.size == 0) return 0;
    }
  }

 private:
  static constexpr std::size_t max_size = 16;
  struct Slot {
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    std::uint8_t size = 0;
    std::uint8_t number = 0;
  };

  static Slot slot_of(std::string_view text) noexcept {
    Slot slot;
    slot.size = static_cast<std::uint8_t>(text.size());
    slot.head = fold_eight(load_short(text.data(), text.size()));
    if (text.size() > 8) slot.tail = fold_eight(load_eight(text.data() + text.size() - 8));
    return slot;
  }
  static unsigned place_of(const Slot& slot) noexcept {
    return static_cast<unsigned>(((slot.head + slot.size) ^ slot.tail * 3) * 0x9E3779B97F4A7C15ULL >> 58);
  }

  std::array<Slot, 64> slots_{};
  unsigned count_ = 0;
};

}  // namespace poolsift
