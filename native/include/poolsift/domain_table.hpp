// domain_table.hpp: what a DNS snapshot, or a resolver while a run goes on, says of millions of names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
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

/// Names come in canonical: A-labels, lower case, no trailing dot. The table is built first and only read afterwards, by any number of
/// threads; only one that grows takes names up meanwhile: its readers hold reading(), and what was once said of a name stands.
///
/// Inside: records of 3 bytes and the name, one after another; and slots of 8 bytes, upper 24 bits of the hash over the record's
/// place plus one. Ten million names of 18 bytes take some 340 MB.
class DnsTable {
public:
    explicit DnsTable(bool grows = false) : key_(hash_key()), door_(grows ? std::make_unique<Door>() : nullptr) {}

    /// Makes room for so many names with so many bytes in all.
    void reserve(std::size_t names, std::size_t bytes);

    /// States one type of a name: `rdtype` 'A', 'M' (MX) or '4' (AAAA); said twice, the last stands. `null_mx` counts with 'M' alone.
    /// Throws std::invalid_argument for another type, an empty name or one of more than 253 bytes.
    void add(Bytes canonical, char rdtype, DnsStatus status, bool null_mx);

    /// Is it one that absorb() adds to?
    [[nodiscard]] bool grows() const noexcept { return door_ != nullptr; }
    /// Adds what a table that does not grow says of names that this one lacks; those listed keep what they have. Says how many are new.
    /// Waits until nobody reads. All or nothing. Throws std::invalid_argument unless this table grows and the other does not.
    std::size_t absorb(const DnsTable& other);
    /// Keeps absorb() away; of a table that does not grow it costs nothing. Whoever holds it waits for no other lock, nor for this one
    /// again.
    [[nodiscard]] std::shared_lock<std::shared_mutex> reading() const {
        if (door_ == nullptr) return {};
        const std::lock_guard turn(door_->queue);
        return std::shared_lock(door_->room);
    }

    /// All `unlisted` exactly for a name that the table lacks.
    [[nodiscard]] DnsFacts lookup(Bytes canonical) const noexcept;

    /// Of lookup, for whoever asks for many names: where the answer to a name of this hash would be, to be brought nearer;
    /// then the answer itself, once the place is near.
    [[nodiscard]] std::uint64_t hash(Bytes canonical) const noexcept { return key_(canonical); }
    void prefetch(std::uint64_t hash) const noexcept {
        if (size_ != 0) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
    }
    void prefetch_record(std::uint64_t hash) const noexcept;

    /// For whoever holds no lock: lookup, the places of those of many names that the table lacks, and how many it has.
    [[nodiscard]] DnsFacts look(Bytes canonical) const;
    [[nodiscard]] std::vector<std::size_t> missing(const std::vector<Bytes>& canonical) const;
    [[nodiscard]] std::size_t count() const;

    /// Distinct names.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    [[nodiscard]] std::size_t find(Bytes name, std::uint64_t hash) const noexcept;
    void append(std::uint64_t& slot, std::uint64_t hash, Bytes name, unsigned facts);
    void grow(std::size_t slots);

    /// Everybody passes the queue, so that readers who come and go without end do not keep absorb() waiting for ever.
    struct Door {
        std::mutex queue;
        std::shared_mutex room;
    };

    HashKey key_;
    std::unique_ptr<Door> door_;   ///< of a table that grows
    std::size_t size_ = 0;
    std::vector<std::uint64_t> slots_;   ///< 0 is free; a power of two, at most three quarters full
    std::string records_;                ///< length, two bytes of facts, name
};

}  // namespace poolsift
