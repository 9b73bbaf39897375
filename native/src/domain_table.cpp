// domain_table.cpp: open addressing with slots of 8 bytes over one string of records.
#include "poolsift/domain_table.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <utility>

namespace poolsift {

namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t fewest_slots = 16;
constexpr std::size_t head = 3;                               // length and two bytes of facts
constexpr std::uint64_t place_mask = (std::uint64_t{1} << 40) - 1;   // a record's place plus one: a terabyte of names

/// Facts in 16 bits: A in 0..2, MX in 3..5, AAAA in 6..8, null MX in 9. Example: A absent (1), null MX present (2): 0x211.
unsigned shift_of(char rdtype) {
    switch (rdtype) {
        case 'A': return 0;
        case 'M': return 3;
        case '4': return 6;
        default: throw std::invalid_argument("a record type is 'A', 'M' or '4'");
    }
}

constexpr unsigned null_mx_bit = 1U << 9;

DnsFacts unpack(unsigned packed) noexcept {
    const auto status = [packed](unsigned shift) { return static_cast<DnsStatus>(packed >> shift & 7); };
    return {status(0), status(3), status(6), (packed & null_mx_bit) != 0};
}

std::size_t slots_for(std::size_t names) noexcept { return std::max(fewest_slots, std::bit_ceil(names + names / 3 + 1)); }

unsigned byte_at(const std::string& records, std::size_t place) noexcept {
    return static_cast<unsigned char>(records[place]);
}

unsigned facts_at(const std::string& records, std::size_t place) noexcept {
    return byte_at(records, place + 1) | byte_at(records, place + 2) << 8;
}

}  // namespace

/// The slot with the name, or the free slot where it belongs. There must be a free one.
std::size_t DnsTable::find(Bytes name, std::uint64_t hash) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    const std::uint64_t tag = hash & ~place_mask;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
        const std::uint64_t slot = slots_[at];
        if (slot == 0) return at;
        if ((slot & ~place_mask) != tag) continue;
        const std::size_t place = (slot & place_mask) - 1;
        if (byte_at(records_, place) == name.size() && Bytes{records_}.substr(place + head, name.size()) == name) return at;
    }
}

void DnsTable::reserve(std::size_t names, std::size_t bytes) {
    records_.reserve(bytes + head * names);
    if (slots_for(names) > slots_.size()) grow(slots_for(names));
}

/// Hangs a new name into its free slot.
void DnsTable::append(std::uint64_t& slot, std::uint64_t hash, Bytes name, unsigned facts) {
    const std::uint64_t place = records_.size();
    if (place >= place_mask) throw std::invalid_argument("too many names");
    records_.append({static_cast<char>(name.size()), static_cast<char>(facts & 0xff), static_cast<char>(facts >> 8)}).append(name);
    slot = (hash & ~place_mask) | (place + 1);
    ++size_;
}

void DnsTable::add(Bytes canonical, char rdtype, DnsStatus status, bool null_mx) {
    const unsigned shift = shift_of(rdtype);
    if (canonical.empty() || canonical.size() > longest_name) throw std::invalid_argument("a domain name has 1 to 253 bytes");
    if (size_ + 1 > slots_.size() / 4 * 3) grow(std::max(fewest_slots, 2 * slots_.size()));
    const std::uint64_t hash = key_(canonical);
    std::uint64_t& slot = slots_[find(canonical, hash)];
    if (slot == 0) append(slot, hash, canonical, 0);
    const std::size_t place = (slot & place_mask) - 1;
    unsigned packed = facts_at(records_, place);
    packed = (packed & ~(7U << shift)) | static_cast<unsigned>(status) << shift;
    if (rdtype == 'M') packed = (packed & ~null_mx_bit) | (null_mx ? null_mx_bit : 0);
    records_[place + 1] = static_cast<char>(packed & 0xff);
    records_[place + 2] = static_cast<char>(packed >> 8);
}

std::size_t DnsTable::absorb(const DnsTable& other) {
    if (!grows() || other.grows()) throw std::invalid_argument("a table that grows absorbs one that does not");
    const std::lock_guard turn(door_->queue);
    const std::unique_lock held(door_->room);
    const std::size_t before = size_;
    const std::size_t bytes = records_.size() + other.records_.size();
    if (bytes >= place_mask) throw std::invalid_argument("too many names");
    // Room first, so that nothing fails half-way; at least doubled, so that many small tables cost no more than a large one.
    if (bytes > records_.capacity()) records_.reserve(std::max(bytes, 2 * records_.capacity()));
    if (slots_for(size_ + other.size_) > slots_.size()) grow(slots_for(size_ + other.size_));
    for (std::size_t place = 0; place < other.records_.size();) {
        const std::size_t size = byte_at(other.records_, place);
        const Bytes name = Bytes{other.records_}.substr(place + head, size);
        const std::uint64_t hash = key_(name);
        std::uint64_t& slot = slots_[find(name, hash)];
        if (slot == 0) append(slot, hash, name, facts_at(other.records_, place));
        place += head + size;
    }
    return size_ - before;
}

DnsFacts DnsTable::look(Bytes canonical) const {
    const auto held = reading();
    return lookup(canonical);
}

std::vector<std::size_t> DnsTable::missing(const std::vector<Bytes>& canonical) const {
    std::vector<std::size_t> places;
    const auto held = reading();
    for (std::size_t place = 0; place < canonical.size(); ++place) {
        if (lookup(canonical[place]) == DnsFacts{}) places.push_back(place);
    }
    return places;
}

std::size_t DnsTable::count() const {
    const auto held = reading();
    return size_;
}

DnsFacts DnsTable::lookup(Bytes canonical) const noexcept {
    if (size_ == 0 || canonical.empty() || canonical.size() > longest_name) return {};
    const std::uint64_t slot = slots_[find(canonical, key_(canonical))];
    return slot == 0 ? DnsFacts{} : unpack(facts_at(records_, (slot & place_mask) - 1));
}

void DnsTable::prefetch_record(std::uint64_t hash) const noexcept {
    if (size_ == 0) return;
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at] != 0 && ((slots_[at] ^ hash) & ~place_mask) != 0) at = (at + 1) & mask;   // the first whose tag is right
    if (slots_[at] != 0) __builtin_prefetch(records_.data() + (slots_[at] & place_mask) - 1);
}

/// Hangs every record into new slots, in the order of the records, which is the order of memory.
void DnsTable::grow(std::size_t slots) {
    std::vector<std::uint64_t> fresh(slots);
    const std::size_t mask = slots - 1;
    for (std::size_t place = 0; place < records_.size();) {
        const std::size_t size = byte_at(records_, place);
        const std::uint64_t hash = key_(Bytes{records_}.substr(place + head, size));
        std::size_t at = hash & mask;
        while (fresh[at] != 0) at = (at + 1) & mask;
        fresh[at] = (hash & ~place_mask) | (place + 1);
        place += head + size;
    }
    slots_ = std::move(fresh);
}

}  // namespace poolsift
