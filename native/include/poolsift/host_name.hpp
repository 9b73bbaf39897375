// host_name.hpp: which pool the name of an outbound host tells of.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "poolsift/address.hpp"
#include "poolsift/bytes.hpp"

namespace poolsift {

/// What a host name says: a pool; or the address in its digits, whose prefix decides; or nothing (pool 255, not embedded).
struct HostAnswer {
    std::uint8_t pool = 255;   ///< index of the observed pool
    bool embedded = false;     ///< look `address` up
    Address address;
};

/// The grammar of Exchange Online's outbound hosts, measured on public headers; `code` is looked up in the table given:
///     mail-<anything>az<code><4 or more digits>               code: on lp hn rln rlhn olkn
///     mail-<anything><2 digits><code><digit><hex digits>      code: on lp hn rln rlnn rlhn olkn
///     mail-<code><letters, digits, _>                         code: eopbgr bgr oln
/// followed by a suffix of the table. The first two are tried first. ASCII case is ignored, one trailing dot dropped; the
/// part before the suffix must be one label. A code with pool 255 must be followed by exactly
/// twelve digits, AAABBBCCCDDD: bgr052100133062 holds 52.100.133.62.
class HostNames {
public:
    /// A suffix in lower case, such as ".outbound.protection.outlook.com". Throws std::invalid_argument unless it begins with a dot.
    void add_suffix(Bytes with_leading_dot);

    /// The pool of a code in lower case, 255 for "read the digits"; said twice, the last stands.
    /// Throws std::invalid_argument for an empty code.
    void add_code(Bytes code, std::uint8_t pool);

    [[nodiscard]] HostAnswer lookup(Bytes host) const noexcept;

private:
    [[nodiscard]] HostAnswer answer(Bytes code, Bytes rest) const noexcept;

    std::vector<std::string> suffixes_;
    std::vector<std::pair<std::string, std::uint8_t>> codes_;
};

}  // namespace poolsift
