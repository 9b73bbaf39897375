// keyed_hash.hpp: a 64-bit hash of short bytes that nobody outside the process can predict.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "poolsift/bytes.hpp"

namespace poolsift {

/// The expanded key of one process and the hash under it. A table keeps the key it was built with, so that it can be read from
/// another extension module, whose own key differs.
///
/// Method: NH (RFC 4418 5.2, with 64-bit words): the sum of (word + key)·(next word + next key) over 16-byte blocks. Whoever does not know
/// the key words makes two texts collide with a chance of about 2^-63, however they are chosen; there are no public constants
/// whose zeros could be met, as there are in wyhash.
class HashKey {
public:
    /// Expands 128 random bits with SipHash-2-4 in counter mode.
    HashKey(std::uint64_t low, std::uint64_t high) noexcept;

    [[nodiscard]] std::uint64_t operator()(Bytes text) const noexcept;

private:
    static constexpr std::size_t block_words = 32;   // 256 bytes: a domain name is one block
    std::array<std::uint64_t, block_words + 4> words_;
};

/// Sets the key of this module for all later hashes and tables. Call it once at import, with random bits.
/// Until then a fixed key is in force. Values of keyed_hash must not be kept across a call.
void set_hash_key(std::uint64_t low, std::uint64_t high) noexcept;

/// The key in force.
const HashKey& hash_key() noexcept;

/// The hash under the key in force; never written anywhere, as it changes from run to run.
inline std::uint64_t keyed_hash(Bytes text) noexcept { return hash_key()(text); }

}  // namespace poolsift
