// bytes.hpp: what every noun reads: a view of bytes that somebody else owns; and letters without case.
#pragma once

#include <cstddef>
#include <string_view>

namespace poolsift {

/// Text as logged: any bytes at all, never null-terminated, owned by the caller for as long as a result that slices it lives.
using Bytes = std::string_view;

/// The byte with A to Z in lower case; every other byte, also of other scripts, as it is.
constexpr char lower_ascii(char byte) noexcept {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
}

/// Are they equal, ASCII case ignored? The second is given in lower case.
constexpr bool equals_ignoring_case(Bytes text, Bytes lower_case) noexcept {
    if (text.size() != lower_case.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (lower_ascii(text[i]) != lower_case[i]) return false;
    }
    return true;
}

}  // namespace poolsift
