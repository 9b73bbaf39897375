// prefix_table.hpp: dated longest-prefix match over IPv4 and IPv6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "poolsift/address.hpp"

namespace poolsift {

/// A time that stands for "no time": only entries without `until` hold at it.
constexpr std::int64_t no_time = std::numeric_limits<std::int64_t>::max() - 1;

/// A prefix that has a value from `since_us` (inclusive) to `until_us` (exclusive), microseconds since 1970 UTC.
struct PrefixEntry {
    Address prefix;            ///< host bits zero
    std::uint8_t length = 0;   ///< 0..32 or 0..128; a mapped prefix is given with its IPv6 length, 96..128
    std::int64_t since_us = std::numeric_limits<std::int64_t>::min();   ///< minimum = always
    std::int64_t until_us = std::numeric_limits<std::int64_t>::max();   ///< maximum = still
    std::uint32_t value = 0;   ///< anything but PrefixTable::none
};

/// Immutable map from address and time to the value of the longest prefix that holds then. A longer prefix that does not hold at
/// the time does not hide a shorter one. Of two entries with one prefix that both hold, the later in the list stands.
/// IPv4-mapped addresses are looked up as IPv4. The empty table knows nothing.
///
/// Inside: the nested prefixes cut the address line into intervals, each naming its innermost prefix; a prefix names the one
/// around it. 10.0.0.0/8 with 10.1.0.0/16 in it gives the starts 0 (none), 10.0.0.0 (/8), 10.1.0.0 (/16), 10.2.0.0 (/8),
/// 11.0.0.0 (none).
class PrefixTable {
public:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    PrefixTable() = default;

    /// Throws std::invalid_argument for family 0, a bad length, host bits, `since` not before `until`, or the value `none`;
    /// the text names the entry's place in the list.
    explicit PrefixTable(std::vector<PrefixEntry> entries);

    /// The value, or `none`.
    [[nodiscard]] std::uint32_t lookup(const Address& address, std::int64_t time_us) const noexcept;

    /// How many entries were given.
    [[nodiscard]] std::size_t size() const noexcept { return entries_; }

private:
    friend struct PrefixTableBuilder;

    /// 128-bit key, compared high half first.
    struct Wide {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        auto operator<=>(const Wide&) const = default;
    };
    /// What one prefix says in one period.
    struct Period {
        std::int64_t since_us;
        std::int64_t until_us;
        std::uint32_t value;
    };
    /// One distinct prefix: its periods, the one that stands first coming first, and the prefix around it.
    struct Node {
        std::uint32_t first;
        std::uint32_t last;     ///< one past the end
        std::uint32_t parent;   ///< `none` at the top
    };

    [[nodiscard]] std::uint32_t node_of(std::uint32_t address) const noexcept;
    [[nodiscard]] std::uint32_t node_of(const Wide& address) const noexcept;

    std::size_t entries_ = 0;
    unsigned shift_ = 24;                    ///< address >> shift_ is the place in index_
    std::vector<std::uint32_t> index_;       ///< first interval that starts in or after a block; one entry more than blocks
    std::vector<std::uint32_t> starts4_;     ///< ascending
    std::vector<std::uint32_t> nodes4_;      ///< node of each interval, or `none`
    std::vector<Wide> starts6_;
    std::vector<std::uint32_t> nodes6_;
    std::vector<Node> nodes_;
    std::vector<Period> periods_;
};

}  // namespace poolsift
