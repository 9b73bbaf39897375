// host_name.cpp: reads the code in the first label of an outbound host from its end.
#include "poolsift/host_name.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace poolsift {

namespace {

constexpr Bytes opening = "mail-";
constexpr std::size_t longest_label = 63;
constexpr std::size_t longest_host = 254;   // with its trailing dot

constexpr std::array<Bytes, 6> azure_codes{"rlhn", "rln", "olkn", "on", "hn", "lp"};
constexpr std::array<Bytes, 7> site_codes{"rlnn", "rlhn", "rln", "olkn", "on", "hn", "lp"};
constexpr std::array<Bytes, 3> leading_codes{"eopbgr", "bgr", "oln"};

/// What stands before and behind a code; both empty views when the label has none.
struct Split {
    Bytes code;
    Bytes rest;
};

bool is_digit(char byte) noexcept { return byte >= '0' && byte <= '9'; }
bool is_hex(char byte) noexcept { return is_digit(byte) || (byte >= 'a' && byte <= 'f'); }
bool is_word(char byte) noexcept { return is_digit(byte) || (byte >= 'a' && byte <= 'z') || byte == '_'; }

bool all_digits(Bytes text) noexcept { return std::all_of(text.begin(), text.end(), is_digit); }

/// Codes end in a letter that is no hex digit, so the last such letter ends the code.
/// Example: in mail-sgaapc01rlnn2082 it is the second n; before it stand 01 and rln.
std::size_t end_of_code(Bytes label) noexcept {
    std::size_t end = label.size();
    while (end > 0 && is_hex(label[end - 1])) --end;
    return end;
}

/// ...az<code><4 or more digits>
Split split_azure(Bytes label) noexcept {
    const Bytes upto = label.substr(0, end_of_code(label));
    const Bytes rest = label.substr(upto.size());
    if (rest.size() < 4 || !all_digits(rest)) return {};
    for (const Bytes code : azure_codes) {
        if (!upto.ends_with(code)) continue;
        if (upto.substr(0, upto.size() - code.size()).ends_with("az")) return {code, rest};
    }
    return {};
}

/// ...<2 digits><code><digit><hex digits>
Split split_site(Bytes label) noexcept {
    const Bytes upto = label.substr(0, end_of_code(label));
    const Bytes rest = label.substr(upto.size());
    if (rest.empty() || !is_digit(rest.front())) return {};
    for (const Bytes code : site_codes) {
        if (!upto.ends_with(code)) continue;
        const Bytes before = upto.substr(0, upto.size() - code.size());
        if (before.size() >= 2 && all_digits(before.substr(before.size() - 2))) return {code, rest};
    }
    return {};
}

/// <code><letters, digits, _>
Split split_leading(Bytes label) noexcept {
    for (const Bytes code : leading_codes) {
        if (!label.starts_with(code)) continue;
        const Bytes rest = label.substr(code.size());
        if (std::all_of(rest.begin(), rest.end(), is_word)) return {code, rest};
    }
    return {};
}

/// AAABBBCCCDDD as an address: 052100133062 is 52.100.133.62.
bool read_digits(Bytes digits, Address& out) noexcept {
    if (digits.size() != 12 || !all_digits(digits)) return false;
    std::array<char, 4> octets{};
    for (std::size_t i = 0; i < 4; ++i) {
        const auto digit = [&](std::size_t place) { return digits[3 * i + place] - '0'; };
        const int value = 100 * digit(0) + 10 * digit(1) + digit(2);
        if (value > 255) return false;
        octets[i] = static_cast<char>(value);
    }
    return address_from_packed({octets.data(), octets.size()}, out);
}

/// The first label after `mail-` in `lower`, which has room for it; empty when the host has no such label before the suffix.
Bytes label_before(Bytes host, std::size_t suffix, std::array<char, longest_label>& lower) noexcept {
    if (host.size() <= suffix || host.size() - suffix > longest_label) return {};
    const std::size_t size = host.size() - suffix;
    for (std::size_t i = 0; i < size; ++i) {
        if (host[i] == '.') return {};
        lower[i] = lower_ascii(host[i]);
    }
    const Bytes label{lower.data(), size};
    return label.starts_with(opening) ? label.substr(opening.size()) : Bytes{};
}

}  // namespace

void HostNames::add_suffix(Bytes with_leading_dot) {
    if (!with_leading_dot.starts_with('.')) throw std::invalid_argument("a host suffix begins with a dot");
    suffixes_.emplace_back(with_leading_dot);
}

void HostNames::add_code(Bytes code, std::uint8_t pool) {
    if (code.empty()) throw std::invalid_argument("a host code is empty");
    for (auto& [known, known_pool] : codes_) {
        if (known == code) {
            known_pool = pool;
            return;
        }
    }
    codes_.emplace_back(code, pool);
}

HostAnswer HostNames::answer(Bytes code, Bytes rest) const noexcept {
    HostAnswer result;
    for (const auto& [known, pool] : codes_) {
        if (known != code) continue;
        result.pool = pool;
        result.embedded = pool == 255 && read_digits(rest, result.address);
    }
    return result;
}

HostAnswer HostNames::lookup(Bytes host) const noexcept {
    if (host.size() > longest_host) return {};
    if (host.ends_with('.')) host.remove_suffix(1);
    for (const std::string& suffix : suffixes_) {
        if (host.size() <= suffix.size()) continue;
        if (!equals_ignoring_case(host.substr(host.size() - suffix.size()), suffix)) continue;
        std::array<char, longest_label> lower;
        const Bytes label = label_before(host, suffix.size(), lower);
        Split split = split_azure(label);
        if (split.code.empty()) split = split_site(label);
        if (split.code.empty()) split = split_leading(label);
        if (!split.code.empty()) return answer(split.code, split.rest);
    }
    return {};
}

}  // namespace poolsift
