// domain_table.hpp: what a DNS snapshot says of millions of names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "poolsift/bytes.hpp"
#include "poolsift/keyed_hash.hpp"

namespace poolsift {

/// What a snapshot says of one name and type.
enum class DnsStatus : std::uint8_t { unlisted, absent, present, unknown, invalid };

/// The answer for a name; all `unlisted` where the snapshot lacks it.
struct DnsFacts {
    DnsStatus a = DnsStatus::unlisted;
    DnsStatus mx = DnsStatus::unlisted;
    DnsStatus aaaa = DnsStatus::unlisted;
    bool null_mx = false;   ///< the only MX target is `.` (RFC 7505)
    bool operator==(const DnsFacts&) const = default;
};

/// Names come in canonical: A-labels, lower case, no trailing dot. The table is built first and only read afterwards.
///
/// Inside: records of 3 bytes and the name, one after another; and slots of 8 bytes, upper 24 bits of the hash over the record's
/// place plus one. Ten million names of 18 bytes take some 340 MB.
class DnsTable {
public:
    DnsTable() : key_(hash_key()) {}

    /// Makes room for so many names with so many bytes in all.
    void reserve(std::size_t names, std::size_t bytes);

    /// States one type of a name: `rdtype` 'A', 'M' (MX) or '4' (AAAA); said twice, the last stands. `null_mx` counts with 'M' alone.
    /// Throws std::invalid_argument for another type, an empty name or one of more than 253 bytes.
    void add(Bytes canonical, char rdtype, DnsStatus status, bool null_mx);

    [[nodiscard]] DnsFacts lookup(Bytes canonical) const noexcept;

    /// Of lookup, for whoever asks for many names: where the answer to a name of this hash would be, to be brought nearer;
    /// then the answer itself, once the place is near.
    [[nodiscard]] std::uint64_t hash(Bytes canonical) const noexcept { return key_(canonical); }
    void prefetch(std::uint64_t hash) const noexcept {
        if (size_ != 0) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
    }
    void prefetch_record(std::uint64_t hash) const noexcept;

    /// Is there any statement about the name?
    [[nodiscard]] bool lists(Bytes canonical) const noexcept;

    /// Distinct names.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    [[nodiscard]] std::size_t find(Bytes name, std::uint64_t hash) const noexcept;
    void grow(std::size_t slots);

    HashKey key_;
    std::size_t size_ = 0;
    std::vector<std::uint64_t> slots_;   ///< 0 is free; a power of two, at most three quarters full
    std::string records_;                ///< length, two bytes of facts, name
};

}  // namespace poolsift
