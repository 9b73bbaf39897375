// text_index.hpp: byte strings, each distinct one stored once and numbered from 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "poolsift/bytes.hpp"
#include "poolsift/keyed_hash.hpp"

namespace poolsift {

/// Numbers stay as they are until clear(). Not locked: whoever shares one sees to it that nobody reads while somebody adds.
///
/// Inside: the strings one after another, where each ends, and slots of 8 bytes: upper half of the hash over the number plus one.
/// A string costs some 25 bytes besides itself.
class TextIndex {
public:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    TextIndex() : key_(hash_key()) {}

    /// The number of a string, which is stored if it is new. Throws std::length_error for more than 2^32 - 2 strings.
    std::uint32_t add(Bytes text);
    /// The number of a string, or `none`.
    [[nodiscard]] std::uint32_t find(Bytes text) const noexcept { return find(text, hash(text)); }
    [[nodiscard]] std::uint32_t find(Bytes text, std::uint64_t hash) const noexcept;
    /// The string of a number; valid until the next add().
    [[nodiscard]] Bytes text(std::uint32_t number) const noexcept {
        return {texts_.data() + ends_[number], static_cast<std::size_t>(ends_[number + std::size_t{1}] - ends_[number])};
    }

    /// For whoever looks for many: the place where a string of this hash would be is brought nearer; then the number that find() would
    /// most likely give is known, or `none` for certain; then where that string stands is brought nearer, then the string.
    [[nodiscard]] std::uint64_t hash(Bytes text) const noexcept { return key_(text); }
    void prefetch(std::uint64_t hash) const noexcept {
        if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
    }
    [[nodiscard]] std::uint32_t guess(std::uint64_t hash) const noexcept;
    void prefetch_place(std::uint32_t number) const noexcept { __builtin_prefetch(&ends_[number]); }
    void prefetch_text(std::uint32_t number) const noexcept { __builtin_prefetch(texts_.data() + ends_[number]); }

    [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(ends_.size() - 1); }
    /// Memory that it has taken.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return texts_.capacity() + sizeof(std::uint64_t) * (ends_.capacity() + slots_.capacity());
    }
    /// Forgets every string and gives the memory back.
    void clear();

private:
    [[nodiscard]] std::size_t place_of(Bytes text, std::uint64_t hash) const noexcept;
    void grow();

    HashKey key_;
    std::string texts_;
    std::vector<std::uint64_t> ends_{0};   ///< string n reaches from ends_[n] to before ends_[n + 1]
    std::vector<std::uint64_t> slots_;     ///< 0 is free; a power of two, at most three quarters full
};

}  // namespace poolsift
