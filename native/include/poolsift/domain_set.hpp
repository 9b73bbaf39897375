// domain_set.hpp: a set of domain names, each alone or with everything below it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "poolsift/bytes.hpp"
#include "poolsift/keyed_hash.hpp"

namespace poolsift {

/// Names come in canonical: A-labels, lower case, no trailing dot. The set is built first and only read afterwards; the empty set
/// holds nothing.
class DomainSet {
public:
    DomainSet() : key_(hash_key()) {}

    /// Adds a name; with `subdomains` any name below it is in the set too. Adding it twice keeps the wider meaning.
    /// Throws std::invalid_argument for an empty name or one of more than 253 bytes.
    void add(Bytes canonical, bool subdomains);

    /// Is it an entry, or below an entry with subdomains?
    [[nodiscard]] bool contains(Bytes canonical) const noexcept;

    /// Is it or any parent an entry, with subdomains or not?
    [[nodiscard]] bool covers(Bytes canonical) const noexcept;

    /// Distinct names.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    enum class Kind : std::uint8_t { free, exact, subdomains };
    struct Slot {
        std::size_t offset = 0;
        std::uint32_t tag = 0;   ///< upper half of the hash
        std::uint8_t length = 0;
        Kind kind = Kind::free;
    };

    [[nodiscard]] std::size_t find(Bytes name) const noexcept;
    [[nodiscard]] Kind kind_of(Bytes name) const noexcept;
    [[nodiscard]] bool parent_is(Bytes name, Kind at_least) const noexcept;
    void grow();

    HashKey key_;
    std::size_t size_ = 0;
    std::size_t shortest_ = 254;         ///< of all names
    std::size_t longest_ = 0;            ///< of all names
    bool has_subdomains_ = false;
    std::vector<Slot> slots_;            ///< a power of two, at most three quarters full; free slots end a search
    std::string names_;
};

}  // namespace poolsift
