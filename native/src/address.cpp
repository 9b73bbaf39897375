// address.cpp: strict readers of addresses, equal to Python's ipaddress, and an IPv4 variant for SSE4.2.
#include "poolsift/address.hpp"

#include <algorithm>
#include <cstring>

#include "poolsift/isa.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace poolsift {

namespace {

constexpr std::size_t longest_ipv6 = 45;   // eight words of four digits, the last two as IPv4: 6*5 + 15

void put_ipv4(Address& out, const char* four_bytes) noexcept {
    out = Address{};
    out.family = 4;
    std::memcpy(out.bytes.data(), four_bytes, 4);
}

void put_ipv6(Address& out, const std::array<std::uint8_t, 16>& bytes) noexcept {
    out = Address{};
    const bool zeros = std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; });
    if (zeros && bytes[10] == 0xff && bytes[11] == 0xff) {   // ::ffff:0:0/96
        out.family = 4;
        out.mapped = true;
        std::copy(bytes.begin() + 12, bytes.end(), out.bytes.begin());
    } else {
        out.family = 6;
        out.bytes = bytes;
    }
}

/// Value of each hex digit, -1 for every other byte.
constexpr std::array<std::int8_t, 256> make_hex_values() {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (unsigned digit = 0; digit < 16; ++digit) {
        values[static_cast<unsigned char>("0123456789abcdef"[digit])] = static_cast<std::int8_t>(digit);
        values[static_cast<unsigned char>("0123456789ABCDEF"[digit])] = static_cast<std::int8_t>(digit);
    }
    return values;
}

constexpr auto hex_values = make_hex_values();

/// The 16-bit words of an IPv6 address while it is read.
struct Words {
    std::array<std::uint16_t, 8> values{};
    std::size_t count = 0;
    std::size_t gap = 9;   ///< how many words stand before `::`; 9 is none

    [[nodiscard]] bool has_gap() const noexcept { return gap != 9; }
    [[nodiscard]] bool push(std::uint16_t value) noexcept {
        if (count == 8) return false;
        values[count++] = value;
        return true;
    }
    /// `::` stands for at least one word (RFC 4291 2.2 allows one too, though RFC 5952 would not write it).
    [[nodiscard]] bool complete() const noexcept { return has_gap() ? count < 8 : count == 8; }
    [[nodiscard]] std::array<std::uint8_t, 16> bytes() const noexcept {
        std::array<std::uint8_t, 16> result{};
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t place = i < gap ? i : i + 8 - count;   // words after the gap move to the end
            result[2 * place] = static_cast<std::uint8_t>(values[i] >> 8);
            result[2 * place + 1] = static_cast<std::uint8_t>(values[i] & 0xff);
        }
        return result;
    }
};

/// Reads the IPv4 tail of an IPv6 address into two words.
bool push_ipv4_tail(Bytes text, Words& words) noexcept {
    Address tail;
    if (!detail::parse_ipv4_base(text, tail)) return false;
    const auto word = [&tail](std::size_t i) { return static_cast<std::uint16_t>(tail.bytes[i] << 8 | tail.bytes[i + 1]); };
    return words.push(word(0)) && words.push(word(2));
}

/// Reads words and colons from `at` to the end; a leading `::` was taken by the caller.
bool read_words(Bytes text, std::size_t at, Words& words) noexcept {
    while (at < text.size()) {
        const std::size_t start = at;
        unsigned value = 0;
        for (; at < text.size() && at < start + 4; ++at) {
            const int digit = hex_values[static_cast<unsigned char>(text[at])];
            if (digit < 0) break;
            value = value << 4 | static_cast<unsigned>(digit);
        }
        if (at < text.size() && text[at] == '.') return push_ipv4_tail(text.substr(start), words);
        if (at == start || !words.push(static_cast<std::uint16_t>(value))) return false;
        if (at == text.size()) return true;
        if (text[at++] != ':' || at == text.size()) return false;   // something else, or one colon at the end
        if (text[at] == ':') {
            if (words.has_gap()) return false;
            words.gap = words.count;
            ++at;
        }
    }
    return true;
}

bool parse_ipv6(Bytes text, Address& out) noexcept {
    if (text.size() < 2 || text.size() > longest_ipv6) return false;
    Words words;
    std::size_t at = 0;
    if (text[0] == ':') {
        if (text[1] != ':') return false;
        words.gap = 0;
        at = 2;
    }
    if (!read_words(text, at, words) || !words.complete()) return false;
    put_ipv6(out, words.bytes());
    return true;
}

bool parse_ipv4(Bytes text, Address& out) noexcept {
    if (chosen_isa() == Isa::sse42) return detail::parse_ipv4_sse42(text, out);
    return detail::parse_ipv4_base(text, out);
}

}  // namespace

namespace detail {

bool parse_ipv4_base(Bytes text, Address& out) noexcept {
    if (text.size() < 7 || text.size() > 15) return false;
    std::array<char, 4> octets{};
    std::size_t at = 0;
    for (std::size_t octet = 0; octet < 4; ++octet) {
        const std::size_t start = at;
        unsigned value = 0;
        for (; at < text.size() && at < start + 3 && text[at] >= '0' && text[at] <= '9'; ++at) {
            value = value * 10 + static_cast<unsigned>(text[at] - '0');
        }
        if (at == start || value > 255 || (text[start] == '0' && at > start + 1)) return false;
        if (octet < 3 && (at == text.size() || text[at++] != '.')) return false;
        octets[octet] = static_cast<char>(value);
    }
    if (at != text.size()) return false;
    put_ipv4(out, octets.data());
    return true;
}

#if defined(__x86_64__)

namespace {

/// How the digits of one of the 81 shapes (four octets of one to three digits) move to places of their own.
/// Shape 2.2.3.1 as in "40.95.101.7": octets begin at 0, 3, 6, 10; "40" moves to places 1 and 2 of 0..3, with place 0 and 3 zero.
struct Shape {
    alignas(16) std::array<std::uint8_t, 16> places;
    alignas(16) std::array<std::int32_t, 4> least;   ///< 0, 10 or 100: anything smaller was written with a leading zero
};

constexpr std::array<Shape, 81> make_shapes() {
    std::array<Shape, 81> shapes{};
    for (unsigned shape = 0; shape < 81; ++shape) {
        unsigned start = 0;
        for (unsigned octet = 0, rest = shape; octet < 4; ++octet, rest /= 3) {
            const unsigned digits = rest % 3 + 1;
            for (unsigned place = 0; place < 4; ++place) {
                const bool used = place < 3 && place + digits >= 3;
                shapes[shape].places[4 * octet + place] = static_cast<std::uint8_t>(used ? start + place + digits - 3 : 0x80);
            }
            shapes[shape].least[octet] = digits == 1 ? 0 : digits == 2 ? 10 : 100;
            start += digits + 1;
        }
    }
    return shapes;
}

constexpr auto shapes = make_shapes();

/// 7 to 15 bytes in a register, zeros behind them, without reading outside the text.
inline __m128i load_short(const char* text, std::size_t size) noexcept {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    if (size >= 8) {
        std::memcpy(&low, text, 8);
        std::memcpy(&high, text + size - 8, 8);
        high = size == 8 ? 0 : high >> (8 * (16 - size));   // the last eight bytes overlap the first
    } else {
        std::uint32_t first;
        std::uint32_t last;
        std::memcpy(&first, text, 4);
        std::memcpy(&last, text + size - 4, 4);
        low = first | std::uint64_t{last} << (8 * (size - 4));
    }
    return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
}

/// The number of the shape with dots at the set bits of `dots` and the end at `size`; 81 or more when there is none.
inline unsigned shape_of(unsigned dots, std::size_t size) noexcept {
    unsigned shape = 0;
    unsigned weight = 1;
    unsigned start = 0;
    for (unsigned marks = dots | 1U << size; marks != 0; marks &= marks - 1, weight *= 3) {
        const unsigned end = static_cast<unsigned>(__builtin_ctz(marks));
        if (end - start - 1 > 2 || weight > 27) return 81;   // no digit or more than three (or a fifth octet)
        shape += weight * (end - start - 1);
        start = end + 1;
    }
    return weight == 81 ? shape : 81;
}

}  // namespace

__attribute__((target("ssse3,sse4.1,sse4.2"))) bool parse_ipv4_sse42(Bytes text, Address& out) noexcept {
    if (text.size() < 7 || text.size() > 15) return false;
    const __m128i raw = load_short(text.data(), text.size());
    const unsigned inside = (1U << text.size()) - 1;
    const unsigned dots = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(raw, _mm_set1_epi8('.'))));
    const __m128i values = _mm_sub_epi8(raw, _mm_set1_epi8('0'));
    const unsigned digits = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values)));
    if (((digits | dots) & inside) != inside) return false;
    const unsigned number = shape_of(dots, text.size());
    if (number >= 81) return false;
    const __m128i spread =
        _mm_shuffle_epi8(values, _mm_load_si128(reinterpret_cast<const __m128i*>(shapes[number].places.data())));
    const __m128i pairs = _mm_maddubs_epi16(spread, _mm_set1_epi32(0x00010a64));   // 100, 10, 1, 0
    const __m128i octets = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
    const __m128i least = _mm_load_si128(reinterpret_cast<const __m128i*>(shapes[number].least.data()));
    const __m128i wrong = _mm_or_si128(_mm_cmpgt_epi32(octets, _mm_set1_epi32(255)), _mm_cmpgt_epi32(least, octets));
    if (_mm_movemask_epi8(wrong) != 0) return false;
    const __m128i narrow = _mm_shuffle_epi8(octets, _mm_set1_epi32(0x0c080400));
    const int packed = _mm_cvtsi128_si32(narrow);
    std::array<char, 4> bytes;
    std::memcpy(bytes.data(), &packed, 4);
    put_ipv4(out, bytes.data());
    return true;
}

#else

bool parse_ipv4_sse42(Bytes text, Address& out) noexcept { return parse_ipv4_base(text, out); }

#endif

}  // namespace detail

bool parse_address(Bytes text, Address& out) noexcept {
    if (parse_ipv4(text, out) || parse_ipv6(text, out)) return true;
    out = Address{};
    return false;
}

bool address_from_packed(Bytes packed, Address& out) noexcept {
    if (packed.size() == 4) {
        put_ipv4(out, packed.data());
    } else if (packed.size() == 16) {
        std::array<std::uint8_t, 16> bytes;
        std::memcpy(bytes.data(), packed.data(), 16);
        put_ipv6(out, bytes);
    } else {
        out = Address{};
        return false;
    }
    return true;
}

}  // namespace poolsift
