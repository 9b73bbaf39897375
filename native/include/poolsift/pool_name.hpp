// pool_name.hpp: which pool a value of OutboundIpPoolName tells of.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "poolsift/bytes.hpp"

namespace poolsift {

/// Whole names first, then patterns in the order given; ASCII case is ignored.
class PoolNames {
public:
    /// The pool of one whole name in lower case; said twice, the last stands. Throws std::invalid_argument for an empty name.
    void add_name(Bytes lower_case, std::uint8_t pool);

    /// A pattern of words in lower case: with `prefix` exactly one word, with which the name begins; else the name contains all.
    /// Throws std::invalid_argument for no word, an empty word, or a prefix of several.
    void add_pattern(bool prefix, std::vector<std::string> words, std::uint8_t pool);

    /// The pool's index, or 255: the name does not speak.
    [[nodiscard]] std::uint8_t lookup(Bytes name) const noexcept;

private:
    struct Pattern {
        bool prefix;
        std::vector<std::string> words;
        std::uint8_t pool;
        [[nodiscard]] bool fits(Bytes name) const noexcept;
    };

    std::vector<std::pair<std::string, std::uint8_t>> names_;
    std::vector<Pattern> patterns_;
};

}  // namespace poolsift
