// spf_table.cpp: programs and outcomes of SPF behind one lock, and the search for the segment of an address.
#include "poolsift/spf_table.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace poolsift {

namespace {

constexpr std::size_t longest_name = 253;
constexpr std::uint8_t last_word = 7;

std::size_t packed_size(unsigned family) {
    if (family != 4 && family != 6) throw std::invalid_argument("family: found " + std::to_string(family) + ", expected 4 or 6");
    return family == 4 ? 4 : 16;
}

void check_name(Bytes name) {
    if (name.empty() || name.size() > longest_name) throw std::invalid_argument("a domain name has 1 to 253 bytes");
}

void check_word(std::uint8_t word) {
    if (word > last_word) throw std::invalid_argument("SPF word: found " + std::to_string(word) + ", expected 0 to 7");
}

std::uint64_t big_endian(const char* packed, std::size_t size) noexcept {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < size; ++i) number = number << 8 | static_cast<unsigned char>(packed[i]);
    return number;
}

/// An IPv6 address, high half first.
struct Wide {
    std::uint64_t high;
    std::uint64_t low;
    auto operator<=>(const Wide&) const = default;
};

std::uint32_t narrow_at(const char* packed) noexcept { return static_cast<std::uint32_t>(big_endian(packed, 4)); }
Wide wide_at(const char* packed) noexcept { return {big_endian(packed, 8), big_endian(packed + 8, 8)}; }

template <typename Number>
Number number_at(const char* numbers, std::size_t place) noexcept {
    Number number;
    std::memcpy(&number, numbers + place * sizeof number, sizeof number);
    return number;
}

/// The place of the last of `count` ascending numbers that is not above `key`; the first never is.
template <typename Number>
std::size_t last_not_above(const char* numbers, std::size_t count, const Number& key) noexcept {
    std::size_t place = 0;
    while (count > 1) {   // without branches that nobody can guess
        const std::size_t half = count / 2;
        place += number_at<Number>(numbers, place + half) <= key ? half : 0;
        count -= half;
    }
    return place;
}

template <typename Number>
void append_number(std::string& text, const Number& number) {
    text.append(reinterpret_cast<const char*>(&number), sizeof number);
}

/// Checks a program and gives it as it is kept.
std::string program_of(unsigned family, Bytes starts, Bytes words) {
    const std::size_t size = packed_size(family);
    if (words.empty() || starts.size() != size * words.size()) {
        throw std::invalid_argument("SPF program: found " + std::to_string(starts.size()) + " bytes of starts for " + std::to_string(words.size()) +
                                    " words, expected " + std::to_string(size) + " for each of at least one");
    }
    std::string program(1, static_cast<char>(family));
    program.reserve(1 + starts.size() + words.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
        const char* const start = starts.data() + i * size;
        const bool in_order = i == 0 ? starts.substr(0, size).find_first_not_of('\0') == Bytes::npos : std::memcmp(start - size, start, size) < 0;
        if (!in_order) throw std::invalid_argument("SPF program: start " + std::to_string(i) + " is out of order, expected 0 and then ascending addresses");
        check_word(static_cast<std::uint8_t>(words[i]));
        if (family == 4) append_number(program, narrow_at(start));
        else append_number(program, wide_at(start));
    }
    return program.append(words);
}

}  // namespace

Bytes usable_helo(Bytes helo, char* out) noexcept {
    const auto printable = [](char byte) { return byte > ' ' && byte <= '~'; };
    if (helo.size() > longest_helo || !std::all_of(helo.begin(), helo.end(), printable)) return {};
    std::transform(helo.begin(), helo.end(), out, lower_ascii);
    return {out, helo.size()};
}

void SpfTable::add(Bytes name, unsigned family, Bytes starts, Bytes words) {
    check_name(name);
    const std::string program = program_of(family, starts, words);
    const std::lock_guard turn(queue_);
    const std::unique_lock held(room_);
    if (statement(name, family) != nothing) return;
    const std::uint32_t before = programs_.size();
    const std::uint32_t number = programs_.add(program);
    if (programs_.size() != before) segments_ += words.size();
    state(name, family, number + first_program);
}

void SpfTable::add_uncompiled(Bytes name, unsigned family, bool needs_local) {
    check_name(name);
    packed_size(family);
    const std::lock_guard turn(queue_);
    const std::unique_lock held(room_);
    if (statement(name, family) == nothing) state(name, family, needs_local ? uncompiled_with_local : uncompiled);
}

void SpfTable::state(Bytes name, unsigned family, std::uint32_t statement) {
    const std::uint32_t number = names_.add(name);
    if (statements_.size() <= number) statements_.resize(number + std::size_t{1});
    statements_[number][family == 6] = statement;
}

void SpfTable::add_outcome(Bytes name, const Address& client, Bytes helo, Bytes local, std::uint8_t word) {
    check_name(name);
    check_word(word);
    if (client.family == 0) throw std::invalid_argument("an outcome needs the address of a client");
    char room[longest_helo];
    std::string key;
    const std::lock_guard turn(queue_);
    const std::unique_lock held(room_);
    const std::uint32_t number = names_.add(name);
    if (statements_.size() <= number) statements_.resize(number + std::size_t{1});
    if (statements_[number][client.family == 6] == uncompiled) local = {};
    write_key(number, client, usable_helo(helo, room), local, key);
    if (outcomes_.find(key) != TextIndex::none) return;
    outcome_words_.resize(outcomes_.size());   // where adding failed before
    outcome_words_.push_back(word);
    outcomes_.add(key);
}

/// Number of the name, family, address, length of the HELO name, HELO name, local part.
void SpfTable::write_key(std::uint32_t name, const Address& client, Bytes helo, Bytes local, std::string& key) {
    key.clear();
    append_number(key, name);
    key += static_cast<char>(client.family);
    key.append(reinterpret_cast<const char*>(client.bytes.data()), client.size());
    key += static_cast<char>(helo.size());
    key.append(helo).append(local);
}

void SpfTable::clear() {
    const std::lock_guard turn(queue_);
    const std::unique_lock held(room_);
    forget();
}

void SpfTable::trim() {
    if (count().bytes <= most_bytes_) return;
    const std::lock_guard turn(queue_);
    const std::unique_lock held(room_);
    if (bytes() > most_bytes_) forget();   // unless another thread was faster
}

void SpfTable::forget() {
    ++epoch_;
    segments_ = 0;
    names_.clear();
    decltype(statements_)().swap(statements_);   // assigning `{}` would keep the memory
    programs_.clear();
    outcomes_.clear();
    decltype(outcome_words_)().swap(outcome_words_);
}

std::size_t SpfTable::bytes() const noexcept {
    return names_.bytes() + programs_.bytes() + outcomes_.bytes() + statements_.capacity() * sizeof statements_[0] + outcome_words_.capacity();
}

std::uint32_t SpfTable::statement(Bytes name, unsigned family) const noexcept {
    const std::uint32_t number = names_.find(name);
    return number == TextIndex::none ? std::uint32_t{nothing} : statements_[number][family == 6];
}

std::uint8_t SpfTable::word(std::uint32_t statement, const Address& client) const noexcept {
    const Bytes program = programs_.text(statement - first_program);
    const char* const starts = program.data() + 1;
    const auto packed = reinterpret_cast<const char*>(client.bytes.data());
    if (client.family == 4) {
        const std::size_t count = (program.size() - 1) / (sizeof(std::uint32_t) + 1);
        const std::size_t segment = last_not_above(starts, count, narrow_at(packed));
        return static_cast<std::uint8_t>(starts[count * sizeof(std::uint32_t) + segment]);
    }
    const std::size_t count = (program.size() - 1) / (sizeof(Wide) + 1);
    const std::size_t segment = last_not_above(starts, count, wide_at(packed));
    return static_cast<std::uint8_t>(starts[count * sizeof(Wide) + segment]);
}

std::uint8_t SpfTable::outcome(Bytes name, const Address& client, Bytes helo, Bytes local, std::string& key) const {
    const std::uint32_t number = names_.find(name);
    if (number == TextIndex::none) return no_word;
    write_key(number, client, helo, local, key);
    const std::uint32_t found = outcomes_.find(key);
    return found == TextIndex::none ? no_word : outcome_words_[found];
}

void SpfTable::prefetch(std::uint32_t statement) const noexcept {
    if (statement < first_program) return;
    const Bytes program = programs_.text(statement - first_program);
    const char* const middle = program.data() + program.size() / 2;
    __builtin_prefetch(middle);
    __builtin_prefetch(middle - program.size() / 4);
    __builtin_prefetch(program.data() + program.size() - 1);   // the words
}

std::uint8_t SpfTable::look(Bytes name, const Address& client, Bytes helo, Bytes local) const {
    char room[longest_helo];
    std::string key;
    const auto held = reading();
    const std::uint32_t known = statement(name, client.family);
    if (known >= first_program) return word(known, client);
    return outcome(name, client, usable_helo(helo, room), known == uncompiled ? Bytes{} : local, key);
}

void SpfTable::look_many(const std::vector<Bytes>& names, const std::vector<Address>& clients, std::uint8_t* words) const {
    constexpr std::size_t most = 64;   // as many places of memory are fetched at once
    const auto held = reading();
    for (std::size_t first = 0; first < names.size(); first += most) {
        const std::size_t count = std::min(most, names.size() - first);
        look_some({names.data() + first, count}, clients.data() + first, words + first);
    }
}

/// Each line fetches for all of them what the next one reads.
void SpfTable::look_some(std::span<const Bytes> names, const Address* clients, std::uint8_t* words) const {
    std::array<std::uint64_t, 64> hashes;
    std::array<std::uint32_t, 64> numbers;
    std::array<std::uint32_t, 64> known{};
    const auto each = [&](auto&& step) {
        for (std::size_t i = 0; i < names.size(); ++i) step(i);
    };
    const auto each_found = [&](auto&& step) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (numbers[i] != TextIndex::none) step(i);
        }
    };
    each([&](std::size_t i) { names_.prefetch(hashes[i] = names_.hash(names[i])); });
    each([&](std::size_t i) { numbers[i] = names_.guess(hashes[i]); });
    each_found([&](std::size_t i) { names_.prefetch_place(numbers[i]); });
    each_found([&](std::size_t i) { names_.prefetch_text(numbers[i]); });
    each_found([&](std::size_t i) { __builtin_prefetch(&statements_[numbers[i]]); });
    each_found([&](std::size_t i) { numbers[i] = names_.find(names[i], hashes[i]); });
    each_found([&](std::size_t i) { known[i] = statements_[numbers[i]][clients[i].family == 6]; });
    each([&](std::size_t i) { if (known[i] >= first_program) programs_.prefetch_place(known[i] - first_program); });
    each([&](std::size_t i) { prefetch(known[i]); });
    each([&](std::size_t i) { words[i] = known[i] < first_program ? std::uint8_t{0} : word(known[i], clients[i]); });
}

SpfTable::Counts SpfTable::count() const {
    const auto held = reading();
    return {programs_.size(), segments_, outcomes_.size(), bytes(), epoch_};
}

}  // namespace poolsift
