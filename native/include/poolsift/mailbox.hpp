// mailbox.hpp: a mail address cut into local part and domain, and the grammar of domain names.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "poolsift/bytes.hpp"

namespace poolsift {

/// What an address is good for.
enum class MailboxKind : std::uint8_t {
    unusable,            ///< outside the grammar
    null_path,           ///< the null reverse-path: empty, or `<>` with or without spaces around
    literal,             ///< the domain is an address in brackets
    domain,              ///< the domain is ASCII; folded to lower case it is canonical
    domain_needs_idna,   ///< a label is not ASCII or begins with `xn--`: IDNA 2008 has the last word
};

/// The parts, as slices of the text that was parsed. Both are empty unless the kind is literal, domain or domain_needs_idna.
struct Mailbox {
    MailboxKind kind = MailboxKind::unusable;
    Bytes local;           ///< as written, quotes included
    bool quoted = false;   ///< the local part is a quoted string
    Bytes domain;          ///< as written (not folded) without its trailing dot; a literal with its brackets
};

/// Reads one address (RFC 5321 4.1.2 with the non-ASCII of RFC 6531): spaces around it and then one pair of `<>` are dropped, inside
/// which a source route is skipped. Local part at most 64 bytes as written, `local@domain` at most 254 without the trailing dot.
/// No comments, lists, control characters or second bare `@`. Time is linear.
Mailbox parse_mailbox(Bytes text) noexcept;

/// Reads a bare domain name: one trailing dot dropped; labels of 1 to 63 letters, digits, `-` and `_`, no hyphen first or last; at
/// most 253 bytes. A label that is not ASCII must be UTF-8 and is bounded only by the whole: IDNA 2008 judges it.
/// Gives unusable (then `domain` is empty), domain or domain_needs_idna. No trimming, no literals.
MailboxKind check_domain(Bytes text, Bytes& domain) noexcept;

/// Lower-cases A to Z and copies every other byte; `out` has room for in.size() and may be in.data().
void fold_ascii(Bytes in, char* out) noexcept;

constexpr std::size_t longest_local_part = 64;   // RFC 5321 4.5.3.1.1

/// The local part without quotes and escapes, a slice of the address or of `room`: `"post\master"@example.com` has postmaster.
Bytes local_content(const Mailbox& mailbox, std::array<char, longest_local_part>& room) noexcept;

/// Is the local part, ASCII case ignored, this one (given in lower case)? A quoted one is compared by its content.
bool local_part_equals(const Mailbox& mailbox, Bytes lower_case) noexcept;

}  // namespace poolsift
