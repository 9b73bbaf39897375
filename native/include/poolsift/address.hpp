// address.hpp: one IPv4 or IPv6 address, read from text or from its bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "poolsift/bytes.hpp"

namespace poolsift {

/// An address. The zero value (family 0) means none.
/// An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) is kept as the IPv4 address it stands for: family 4, `mapped` true.
/// Example: "::ffff:40.95.1.1" and "40.95.1.1" differ in `mapped` only.
struct Address {
    std::uint8_t family = 0;                 ///< 0 none, 4, 6
    bool mapped = false;                     ///< was written as ::ffff:a.b.c.d
    std::array<std::uint8_t, 16> bytes{};    ///< network order; IPv4 in bytes[0..3], the others zero

    /// Bytes in use: 0, 4 or 16.
    [[nodiscard]] std::size_t size() const noexcept { return family == 4 ? 4 : family == 6 ? 16 : 0; }
    bool operator==(const Address&) const = default;
};

/// Reads what Python's `ipaddress.ip_address` takes, but no scope id (`%`): no leading zeros, no trimming, no port, no brackets.
/// False, and `out` the zero value, for anything else.
bool parse_address(Bytes text, Address& out) noexcept;

/// 4 or 16 bytes in network order; false, and `out` the zero value, for any other size.
bool address_from_packed(Bytes packed, Address& out) noexcept;

namespace detail {
/// The twins behind parse_address, for tests and fuzzing. The second may be called only where best_isa() is sse42.
bool parse_ipv4_base(Bytes text, Address& out) noexcept;
bool parse_ipv4_sse42(Bytes text, Address& out) noexcept;
}  // namespace detail

}  // namespace poolsift
