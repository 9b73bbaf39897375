// keyed_hash.cpp: NH under key words that SipHash derives from the process's random key.
#include "poolsift/keyed_hash.hpp"

#include <bit>
#include <cstring>

namespace poolsift {

namespace {

__extension__ using Wide = unsigned __int128;

std::uint64_t word_at(const char* at) noexcept {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

/// The 0 to 7 bytes of a short text as a number; bytes that are not there are zero.
std::uint64_t short_word(const char* at, std::size_t size) noexcept {
    if (size >= 4) {
        std::uint32_t first;
        std::uint32_t last;   // overlaps the first, so that no byte is lost
        std::memcpy(&first, at, 4);
        std::memcpy(&last, at + size - 4, 4);
        return first | std::uint64_t{last} << 32;
    }
    if (size == 0) return 0;
    const auto byte = [at](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(at[i])}; };
    return byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16;   // 1 to 3 bytes
}

/// SipHash-2-4 (Aumasson and Bernstein 2012) of one 8-byte number.
std::uint64_t siphash(std::uint64_t low, std::uint64_t high, std::uint64_t number) noexcept {
    std::uint64_t a = low ^ 0x736f6d6570736575, b = high ^ 0x646f72616e646f6d;
    std::uint64_t c = low ^ 0x6c7967656e657261, d = high ^ 0x7465646279746573;
    const auto round = [&] {
        a += b; b = std::rotl(b, 13) ^ a; a = std::rotl(a, 32);
        c += d; d = std::rotl(d, 16) ^ c;
        a += d; d = std::rotl(d, 21) ^ a;
        c += b; b = std::rotl(b, 17) ^ c; c = std::rotl(c, 32);
    };
    for (const std::uint64_t word : {number, std::uint64_t{8} << 56}) {   // the last word holds the length, 8
        d ^= word;
        round(), round();
        a ^= word;
    }
    c ^= 0xff;
    round(), round(), round(), round();
    return a ^ b ^ c ^ d;
}

HashKey& key_in_force() noexcept {
    static HashKey key{0, 0};
    return key;
}

}  // namespace

HashKey::HashKey(std::uint64_t low, std::uint64_t high) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] = siphash(low, high, i);
}

std::uint64_t HashKey::operator()(Bytes text) const noexcept {
    const auto product = [](std::uint64_t a, std::uint64_t b) { return Wide{a} * b; };
    const std::uint64_t* const last = words_.data() + block_words;
    const char* at = text.data();
    std::size_t left = text.size();
    Wide sum = product(left + last[0], last[1]);
    while (left > block_words * 8) {   // longer than any domain name: fold block by block
        for (std::size_t i = 0; i < block_words; i += 2, at += 16) {
            sum += product(word_at(at) + words_[i], word_at(at + 8) + words_[i + 1]);
        }
        sum = product(static_cast<std::uint64_t>(sum) ^ last[2], static_cast<std::uint64_t>(sum >> 64) ^ last[3]);
        left -= block_words * 8;
    }
    const std::uint64_t* key = words_.data();
    for (; left > 16; left -= 16, at += 16, key += 2) sum += product(word_at(at) + key[0], word_at(at + 8) + key[1]);
    if (text.size() >= 16) {   // the last block may overlap what was read before: no byte is lost, none outside is read
        sum += product(word_at(at + left - 16) + key[0], word_at(at + left - 8) + key[1]);
    } else if (left >= 8) {
        sum += product(word_at(at) + key[0], word_at(at + left - 8) + key[1]);
    } else {
        sum += product(short_word(at, left) + key[0], key[1]);
    }
    // The halves are multiplied once more, so that every bit of the result depends on every byte.
    const Wide mixed = product(static_cast<std::uint64_t>(sum) ^ last[2], static_cast<std::uint64_t>(sum >> 64) ^ last[3]);
    return static_cast<std::uint64_t>(mixed) ^ static_cast<std::uint64_t>(mixed >> 64);
}

void set_hash_key(std::uint64_t low, std::uint64_t high) noexcept { key_in_force() = HashKey{low, high}; }

const HashKey& hash_key() noexcept { return key_in_force(); }

}  // namespace poolsift
