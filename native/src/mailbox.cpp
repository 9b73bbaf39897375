// mailbox.cpp: one forward pass over an address with a table of what each byte may be.
#include "poolsift/mailbox.hpp"

#include <array>
#include <cstdint>

#include "poolsift/address.hpp"

namespace poolsift {

namespace {

constexpr std::size_t longest_address = 254;   // RFC 5321 4.5.3.1.3 less the angle brackets
constexpr std::size_t longest_domain = 253;    // RFC 1035 2.3.4 in text form
constexpr std::size_t longest_label = 63;

/// What a byte may be a part of.
enum Part : std::uint8_t { atext = 1, name = 2, high = 4, quoted_text = 8, dot = 16 };

constexpr std::array<std::uint8_t, 256> make_parts() {
    std::array<std::uint8_t, 256> parts{};
    for (unsigned byte = 0x20; byte < 0x7f; ++byte) {
        if (byte != '"' && byte != '\\') parts[byte] = quoted_text;
    }
    for (unsigned byte = 0x80; byte < 0x100; ++byte) parts[byte] = high;
    for (unsigned letter = 'a'; letter <= 'z'; ++letter) {
        parts[letter] |= atext | name;
        parts[letter - 32] |= atext | name;
    }
    for (unsigned digit = '0'; digit <= '9'; ++digit) parts[digit] |= atext | name;
    for (const char other : Bytes{"!#$%&'*+-/=?^_`{|}~"}) parts[static_cast<unsigned char>(other)] |= atext;
    parts['-'] |= name;
    parts['_'] |= name;   // not a host name by RFC 952, yet in use
    parts['.'] |= dot;
    return parts;
}

constexpr auto parts = make_parts();

inline std::uint8_t parts_of(char byte) noexcept { return parts[static_cast<unsigned char>(byte)]; }

/// How many bytes of well-formed UTF-8 begin here, 2 to 4 for one character; 0 for a malformed one (RFC 3629 table of section 4).
std::size_t sequence_at(Bytes text) noexcept {
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(0);
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
    const unsigned least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;   // no overlong forms
    const unsigned most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;    // no surrogates, nothing over U+10FFFF
    if (byte(1) < least || byte(1) > most) return 0;
    for (std::size_t i = 2; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    return size;
}

bool is_utf8(Bytes text) noexcept {
    while (!text.empty()) {
        const bool ascii = static_cast<unsigned char>(text[0]) < 0x80;
        const std::size_t size = ascii ? 1 : sequence_at(text);
        if (size == 0) return false;
        text.remove_prefix(size);
    }
    return true;
}

Bytes without_spaces_around(Bytes text) noexcept {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

/// Drops `@a,@b:` (RFC 5321 4.1.2 A-d-l); false when it is begun and wrong.
bool skip_source_route(Bytes& text) noexcept {
    if (text.empty() || text.front() != '@') return true;
    const std::size_t colon = text.find(':');
    if (colon == Bytes::npos) return false;
    Bytes route = text.substr(0, colon);
    text.remove_prefix(colon + 1);
    for (;;) {
        const std::size_t comma = route.find(',');
        const Bytes hop = route.substr(0, comma);
        Bytes domain;
        if (hop.empty() || hop.front() != '@' || hop.back() == '.') return false;
        if (check_domain(hop.substr(1), domain) == MailboxKind::unusable) return false;
        if (comma == Bytes::npos) return true;
        route.remove_prefix(comma + 1);
    }
}

/// Length of the Dot-string before the first `@`; 0 when there is none. `seen` collects what the bytes are.
std::size_t dot_string(Bytes text, unsigned& seen) noexcept {
    std::size_t at = 0;
    for (char before = '.'; at < text.size(); before = text[at++]) {
        const unsigned part = parts_of(text[at]);
        if ((part & (atext | high)) != 0) {
            seen |= part;
        } else if (text[at] == '@') {
            return before == '.' ? 0 : at;
        } else if ((part & dot) == 0 || before == '.') {
            return 0;
        }
    }
    return 0;
}

/// Length of the quoted string that must end just before an `@`; 0 when there is none.
std::size_t quoted_string(Bytes text, unsigned& seen) noexcept {
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '"') return at + 1 < text.size() && text[at + 1] == '@' ? at + 1 : 0;
        if (text[at] == '\\') {   // escapes one printable ASCII character
            ++at;
            if (at == text.size() || text[at] < 0x20 || text[at] > 0x7e) return 0;
        } else if ((parts_of(text[at]) & (quoted_text | high)) == 0) {
            return 0;
        } else {
            seen |= parts_of(text[at]);
        }
    }
    return 0;
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 4.1.3).
bool is_literal(Bytes domain) noexcept {
    constexpr std::size_t tag = 6;   // "[IPv6:"
    if (domain.size() < 2 || domain.front() != '[' || domain.back() != ']') return false;
    Address address;
    if (domain.size() > tag && equals_ignoring_case(domain.substr(0, tag), "[ipv6:")) {
        return parse_address(domain.substr(tag, domain.size() - tag - 1), address) && (address.family == 6 || address.mapped);
    }
    return parse_address(domain.substr(1, domain.size() - 2), address) && address.family == 4 && !address.mapped;
}

/// What one label is good for.
MailboxKind check_label(Bytes label, unsigned seen) noexcept {
    if (label.empty() || label.front() == '-' || label.back() == '-') return MailboxKind::unusable;
    if ((seen & high) != 0) return MailboxKind::domain_needs_idna;
    if (label.size() > longest_label) return MailboxKind::unusable;
    const bool encoded = label.size() >= 4 && label[2] == '-' && equals_ignoring_case(label.substr(0, 4), "xn--");
    return encoded ? MailboxKind::domain_needs_idna : MailboxKind::domain;
}

}  // namespace

MailboxKind check_domain(Bytes text, Bytes& domain) noexcept {
    domain = {};
    if (!text.empty() && text.back() == '.') text.remove_suffix(1);
    if (text.empty() || text.size() > longest_domain) return MailboxKind::unusable;
    MailboxKind kind = MailboxKind::domain;
    std::size_t start = 0;
    unsigned seen = 0;   // in this label
    for (std::size_t at = 0; at <= text.size(); ++at) {
        const unsigned part = at == text.size() ? static_cast<unsigned>(dot) : parts_of(text[at]);
        if ((part & (name | high)) != 0) {
            seen |= part;
            continue;
        }
        const MailboxKind label = (part & dot) != 0 ? check_label(text.substr(start, at - start), seen) : MailboxKind::unusable;
        if (label == MailboxKind::unusable) return label;
        if (label > kind) kind = label;
        start = at + 1;
        seen = 0;
    }
    if (kind == MailboxKind::domain_needs_idna && !is_utf8(text)) return MailboxKind::unusable;
    domain = text;
    return kind;
}

Mailbox parse_mailbox(Bytes text) noexcept {
    constexpr Mailbox unusable{};
    constexpr Mailbox null_path{MailboxKind::null_path, {}, false, {}};
    if (text.empty()) return null_path;
    text = without_spaces_around(text);
    if (text.size() >= 2 && text.front() == '<' && text.back() == '>') {
        text = text.substr(1, text.size() - 2);
        if (text.empty()) return null_path;
        if (!skip_source_route(text)) return unusable;
    }
    if (text.empty() || text.size() > longest_address + 1) return unusable;   // one more for the trailing dot
    Mailbox result;
    unsigned seen = 0;
    result.quoted = text.front() == '"';
    const std::size_t size = result.quoted ? quoted_string(text, seen) : dot_string(text, seen);
    if (size == 0 || size > longest_local_part) return unusable;
    result.local = text.substr(0, size);
    if ((seen & high) != 0 && !is_utf8(result.local)) return unusable;
    const Bytes domain = text.substr(size + 1);
    if (is_literal(domain)) {
        result.kind = MailboxKind::literal;
        result.domain = domain;
    } else {
        result.kind = check_domain(domain, result.domain);
    }
    if (result.kind == MailboxKind::unusable || size + 1 + result.domain.size() > longest_address) return unusable;
    return result;
}

void fold_ascii(Bytes in, char* out) noexcept {
    for (std::size_t i = 0; i < in.size(); ++i) {
        const auto byte = static_cast<unsigned char>(in[i]);
        const bool upper = static_cast<unsigned char>(byte - 'A') < 26;
        out[i] = static_cast<char>(byte | (upper ? 0x20 : 0));   // 'A' 0x41 becomes 'a' 0x61
    }
}

Bytes local_content(const Mailbox& mailbox, std::array<char, longest_local_part>& room) noexcept {
    if (!mailbox.quoted) return mailbox.local;
    const Bytes inside = mailbox.local.substr(1, mailbox.local.size() - 2);
    std::size_t size = 0;
    for (std::size_t at = 0; at < inside.size(); ++at) {
        if (inside[at] == '\\') ++at;   // the grammar promises a character behind it
        room[size++] = inside[at];
    }
    return {room.data(), size};
}

bool local_part_equals(const Mailbox& mailbox, Bytes lower_case) noexcept {
    std::array<char, longest_local_part> room;
    return equals_ignoring_case(local_content(mailbox, room), lower_case);
}

}  // namespace poolsift
