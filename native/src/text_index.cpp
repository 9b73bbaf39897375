// text_index.cpp: open addressing with slots of 8 bytes over one string of strings.
#include "poolsift/text_index.hpp"

#include <algorithm>
#include <stdexcept>

namespace poolsift {

namespace {

constexpr std::size_t fewest_slots = 16;
constexpr std::uint64_t number_mask = 0xFFFFFFFF;   // of a slot: a string's number plus one

}  // namespace

/// The slot with the string, or the free slot where it belongs. There must be a free one.
std::size_t TextIndex::place_of(Bytes text, std::uint64_t hash) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    const std::uint64_t tag = hash & ~number_mask;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
        const std::uint64_t slot = slots_[at];
        if (slot == 0) return at;
        if ((slot & ~number_mask) != tag) continue;
        if (this->text(static_cast<std::uint32_t>((slot & number_mask) - 1)) == text) return at;
    }
}

std::uint32_t TextIndex::find(Bytes text, std::uint64_t hash) const noexcept {
    if (slots_.empty()) return none;
    const std::uint64_t slot = slots_[place_of(text, hash)];
    return slot == 0 ? none : static_cast<std::uint32_t>((slot & number_mask) - 1);
}

/// The first string whose tag is right.
std::uint32_t TextIndex::guess(std::uint64_t hash) const noexcept {
    if (slots_.empty()) return none;
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at] != 0 && ((slots_[at] ^ hash) & ~number_mask) != 0) at = (at + 1) & mask;
    return slots_[at] == 0 ? none : static_cast<std::uint32_t>((slots_[at] & number_mask) - 1);
}

std::uint32_t TextIndex::add(Bytes text) {
    if ((size() + std::size_t{1}) > slots_.size() / 4 * 3) grow();
    const std::uint64_t code = hash(text);
    std::uint64_t& slot = slots_[place_of(text, code)];
    if (slot != 0) return static_cast<std::uint32_t>((slot & number_mask) - 1);
    if (size() >= none - 1) throw std::length_error("more than 4,294,967,294 strings");
    if (ends_.size() == ends_.capacity()) ends_.reserve(2 * ends_.size());   // first, so that nothing fails half-way
    texts_.append(text);
    ends_.push_back(texts_.size());
    slot = (code & ~number_mask) | size();
    return size() - 1;
}

/// Hangs every string into new slots, in the order of the strings, which is the order of memory.
void TextIndex::grow() {
    std::vector<std::uint64_t> fresh(std::max(fewest_slots, 2 * slots_.size()));
    const std::size_t mask = fresh.size() - 1;
    for (std::uint32_t number = 0; number < size(); ++number) {
        const std::uint64_t code = hash(text(number));
        std::size_t at = code & mask;
        while (fresh[at] != 0) at = (at + 1) & mask;
        fresh[at] = (code & ~number_mask) | (number + std::uint64_t{1});
    }
    slots_ = std::move(fresh);
}

void TextIndex::clear() {
    std::string().swap(texts_);   // assigning something empty would keep the memory
    std::vector<std::uint64_t>(1).swap(ends_);
    std::vector<std::uint64_t>().swap(slots_);
}

}  // namespace poolsift
