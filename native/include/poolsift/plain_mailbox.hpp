// The addresses that nearly everybody has, read 16 bytes at a time; all others are for parse_mailbox, its slow and complete twin.
#pragma once

#include <cstddef>

#include "poolsift/bytes.hpp"

namespace poolsift {

/// Room that the functions below need for the folded text.
inline constexpr std::size_t plain_room = 64;

/// What a plain address is: `at` is the place of its only `@`.
struct PlainMailbox {
  std::size_t at;
  bool has_equals;  ///< in the local part
};

/// Reads an address of 8 to 64 bytes that has only letters, digits and `.-_+=@` in places where they are never wrong. Then `folded` holds it in
/// lower case, and parse_mailbox would give the same domain, of kind `domain`. False says nothing: ask parse_mailbox. Always false on
/// processors without SSE2.
bool plain_mailbox(Bytes text, char* folded, PlainMailbox& out) noexcept;

/// The same for a bare domain; false: ask check_domain.
bool plain_domain(Bytes text, char* folded) noexcept;

}  // namespace poolsift
