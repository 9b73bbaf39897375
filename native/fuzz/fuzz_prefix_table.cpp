// fuzz_prefix_table.cpp: builds a table from the input and compares every look-up with a search through the list.
#include <stdexcept>
#include <vector>

#include "exact.hpp"
#include "poolsift/prefix_table.hpp"

using namespace poolsift;

namespace {
/// Takes bytes off the front; zero where there are no more.
struct Feed {
    Bytes rest;
    std::uint8_t next() {
        if (rest.empty()) return 0;
        const auto byte = static_cast<std::uint8_t>(rest.front());
        rest.remove_prefix(1);
        return byte;
    }
};

/// Few distinct bytes, so that prefixes nest and touch.
Address take_address(Feed& feed) {
    static constexpr std::uint8_t few[] = {0, 1, 127, 128, 254, 255, 10, 40};
    Address address;
    address.family = feed.next() % 3 == 0 ? 6 : 4;
    for (std::size_t i = 0; i < address.size(); ++i) address.bytes[i] = few[feed.next() % 8];
    return address;
}

bool bit(const Address& address, unsigned place) { return (address.bytes[place / 8] >> (7 - place % 8) & 1) != 0; }

/// An entry with host bits cleared.
PrefixEntry take_entry(Feed& feed, std::uint32_t value) {
    PrefixEntry entry;
    entry.prefix = take_address(feed);
    const auto bits = static_cast<unsigned>(8 * entry.prefix.size());
    entry.length = static_cast<std::uint8_t>(feed.next() % (bits + 1));
    for (unsigned place = entry.length; place < bits; ++place) {
        if (bit(entry.prefix, place)) entry.prefix.bytes[place / 8] ^= static_cast<std::uint8_t>(1U << (7 - place % 8));
    }
    const std::uint8_t period = feed.next();
    if ((period & 1) != 0) entry.since_us = period & 6;
    if ((period & 8) != 0) entry.until_us = 8 + (period & 6);
    entry.value = value;
    return entry;
}

std::uint32_t slow_lookup(const std::vector<PrefixEntry>& entries, const Address& address, std::int64_t time_us) {
    std::uint32_t value = PrefixTable::none;
    int longest = -1;
    for (const PrefixEntry& entry : entries) {
        if (entry.prefix.family != address.family || entry.since_us > time_us || entry.until_us <= time_us) continue;
        bool fits = true;
        for (unsigned place = 0; place < entry.length && fits; ++place) fits = bit(entry.prefix, place) == bit(address, place);
        if (!fits || entry.length < longest) continue;
        longest = entry.length;
        value = entry.value;
    }
    return value;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Exact input(data, size);
    Feed feed{input.text()};
    std::vector<PrefixEntry> entries;
    for (std::uint32_t count = feed.next() % 40; entries.size() < count;) {
        entries.push_back(take_entry(feed, static_cast<std::uint32_t>(entries.size())));
    }
    const PrefixTable table(entries);
    std::vector<Address> asked;
    for (const PrefixEntry& entry : entries) asked.push_back(entry.prefix);
    for (int i = 0; i < 8; ++i) asked.push_back(take_address(feed));
    for (const Address& address : asked) {
        for (const std::int64_t time : {std::int64_t{5}, std::int64_t{11}, no_time}) {
            require(table.lookup(address, time) == slow_lookup(entries, address, time), "the table agrees with the list");
        }
    }
    if (entries.empty()) return 0;
    entries.back().prefix.bytes[entries.back().prefix.size() - 1] |= 1;   // a host bit, unless the length is full
    try {
        const PrefixTable other(entries);
        require(entries.back().length == 8 * entries.back().prefix.size(), "host bits are refused");
    } catch (const std::invalid_argument&) {
        require(entries.back().length < 8 * entries.back().prefix.size(), "a full prefix has no host bits");
    }
    return 0;
}
