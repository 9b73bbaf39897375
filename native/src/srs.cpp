// srs.cpp: takes one layer of sender rewriting off a local part.
#include "poolsift/srs.hpp"

#include "poolsift/mailbox.hpp"

namespace poolsift {

namespace {

/// What the form says: is it SRS, and the two parts it holds, empty for nobody.
struct Held {
    bool srs = false;
    Bytes domain;
    Bytes user;
};

/// Takes the text before the next `=`, and the `=`; false when there is none or nothing before it.
bool take_item(Bytes& rest, Bytes& item) noexcept {
    const std::size_t end = rest.find('=');
    if (end == Bytes::npos || end == 0) return false;
    item = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return true;
}

/// Days since 1970 modulo 1024 in two base32 characters, in any case.
bool is_stamp(Bytes text) noexcept {
    const auto base32 = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7'); };
    return text.size() == 2 && base32(text[0]) && base32(text[1]);
}

bool is_separator(char byte) noexcept { return byte == '=' || byte == '+' || byte == '-'; }

/// hash=ts=domain=user
Held read_full(Bytes rest) noexcept {
    Held held;
    Bytes hash;
    Bytes stamp;
    if (!take_item(rest, hash) || !take_item(rest, stamp) || !is_stamp(stamp) || !take_item(rest, held.domain) || rest.empty()) {
        return {};
    }
    held.user = rest;
    held.srs = true;
    return held;
}

/// hash=host, then a separator, then what SRS0 had behind its own.
Held read_srs1(Bytes rest) noexcept {
    Bytes hash;
    Bytes host;
    if (!take_item(rest, hash) || !take_item(rest, host) || rest.empty() || !is_separator(rest.front())) return {};
    return read_full(rest.substr(1));
}

/// Behind +SRS=: the full form, or hash=ts alone, which holds nobody.
Held read_exchange(Bytes rest) noexcept {
    const Held full = read_full(rest);
    Bytes hash;
    if (full.srs || !take_item(rest, hash) || !is_stamp(rest)) return full;
    Held nobody;
    nobody.srs = true;
    return nobody;
}

/// Place of the first `+SRS=` in any case, or npos.
std::size_t find_tag(Bytes local) noexcept {
    for (std::size_t at = local.find('+'); at != Bytes::npos; at = local.find('+', at + 1)) {
        if (equals_ignoring_case(local.substr(at, 5), "+srs=")) return at;
    }
    return Bytes::npos;
}

Held read(Bytes address) noexcept {
    const Mailbox mailbox = parse_mailbox(address);
    const Bytes local = mailbox.local;
    if (mailbox.quoted || local.size() < 5) return {};
    if (is_separator(local[4])) {
        const Bytes rest = local.substr(5);
        if (equals_ignoring_case(local.substr(0, 4), "srs0")) return read_full(rest);
        if (equals_ignoring_case(local.substr(0, 4), "srs1")) return read_srs1(rest);
    }
    const std::size_t tag = find_tag(local);
    return tag == Bytes::npos || tag == 0 ? Held{} : read_exchange(local.substr(tag + 5));
}

}  // namespace

bool srs_original(Bytes address, std::string& original) {
    original.clear();
    const Held held = read(address);
    if (!held.srs || held.user.empty()) return false;
    std::string text;
    text.reserve(held.user.size() + 1 + held.domain.size());
    text.append(held.user).append(1, '@').append(held.domain);
    const Mailbox mailbox = parse_mailbox(text);
    if (mailbox.kind != MailboxKind::domain && mailbox.kind != MailboxKind::domain_needs_idna) return false;
    original.append(mailbox.local).append(1, '@').append(mailbox.domain);
    return true;
}

bool is_srs(Bytes address) noexcept { return read(address).srs; }

}  // namespace poolsift
