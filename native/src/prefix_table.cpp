// prefix_table.cpp: cuts nested prefixes into intervals when built, searches them when asked.
#include "poolsift/prefix_table.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>
#include <utility>

namespace poolsift {

namespace {

std::uint64_t big_endian(const std::uint8_t* bytes, std::size_t size) noexcept {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < size; ++i) number = number << 8 | bytes[i];
    return number;
}

std::uint32_t key4(const Address& address) noexcept {
    return static_cast<std::uint32_t>(big_endian(address.bytes.data(), 4));
}

/// The bits below the first `length` of 64; 64 of them for 0, none for 64 and more.
std::uint64_t host_bits(unsigned length) noexcept { return length >= 64 ? 0 : ~std::uint64_t{0} >> length; }

[[noreturn]] void refuse(std::size_t place, const char* why) {
    throw std::invalid_argument("prefix entry " + std::to_string(place) + ": " + why);
}

}  // namespace

/// Builds a table, one family after the other.
struct PrefixTableBuilder {
    using Wide = PrefixTable::Wide;

    /// An entry with its key as 128 bits; IPv4 stands in the upper 32.
    struct Item {
        Wide start;
        unsigned length;
        std::size_t place;   ///< in the list given
    };

    /// A prefix whose end the sweep has not reached.
    struct Open {
        Wide last;
        std::uint32_t node;
    };

    PrefixTable& table;
    const std::vector<PrefixEntry>& entries;
    std::vector<Wide> starts{};
    std::vector<std::uint32_t> nodes{};
    std::vector<Open> open{};

    /// The entry checked (the constructor's contract).
    [[nodiscard]] Item item(std::size_t place) const {
        const PrefixEntry& entry = entries[place];
        const std::uint8_t family = entry.prefix.family;
        unsigned length = entry.length;
        if (family != 4 && family != 6) refuse(place, "no address");
        if (entry.prefix.mapped) {
            if (length < 96 || length > 128) refuse(place, "bad length");
            length -= 96;
        }
        if (length > (family == 4 ? 32U : 128U)) refuse(place, "bad length");
        if (entry.since_us >= entry.until_us) refuse(place, "since is not before until");
        if (entry.value == PrefixTable::none) refuse(place, "value out of range");
        const std::uint8_t* bytes = entry.prefix.bytes.data();
        const Wide start{big_endian(bytes, 8), big_endian(bytes + 8, 8)};
        if ((start.high & host_bits(length)) != 0 || (start.low & host_bits(length < 64 ? 0 : length - 64)) != 0) {
            refuse(place, "host bits set");
        }
        return {start, length, place};
    }

    [[nodiscard]] static Wide last_of(const Item& item) noexcept {
        return {item.start.high | host_bits(item.length), item.start.low | host_bits(item.length < 64 ? 0 : item.length - 64)};
    }

    /// An interval begins; one that begins at the same address and was given before is empty.
    void begin(const Wide& start, std::uint32_t node) {
        if (!starts.empty() && starts.back() == start) {
            nodes.back() = node;
        } else {
            starts.push_back(start);
            nodes.push_back(node);
        }
    }

    [[nodiscard]] std::uint32_t innermost() const noexcept { return open.empty() ? PrefixTable::none : open.back().node; }

    /// Leaves every prefix that ends before `start`; with nullptr, all of them.
    void close_before(const Wide* start) {
        while (!open.empty() && (start == nullptr || open.back().last < *start)) {
            Wide next = open.back().last;
            open.pop_back();
            if (++next.low == 0 && ++next.high == 0) continue;   // it ended with the last address of all
            begin(next, innermost());
        }
    }

    /// Adds one distinct prefix with the entries [first, last), which are in the order of the list.
    void add_node(const Item* first, const Item* last) {
        close_before(&first->start);
        const auto from = static_cast<std::uint32_t>(table.periods_.size());
        for (const Item* item = last; item != first;) {   // backwards: the later entry stands
            const PrefixEntry& entry = entries[(--item)->place];
            table.periods_.push_back({entry.since_us, entry.until_us, entry.value});
        }
        const auto node = static_cast<std::uint32_t>(table.nodes_.size());
        table.nodes_.push_back({from, static_cast<std::uint32_t>(table.periods_.size()), innermost()});
        begin(first->start, node);
        open.push_back({last_of(*first), node});
    }

    /// Sweeps over the prefixes of one family, outer before inner. Fills starts and nodes.
    void sweep(std::uint8_t family) {
        std::vector<Item> items;
        for (std::size_t place = 0; place < entries.size(); ++place) {
            if (entries[place].prefix.family == family) items.push_back(item(place));
        }
        std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
            if (a.start != b.start) return a.start < b.start;
            return a.length != b.length ? a.length < b.length : a.place < b.place;
        });
        starts.clear();
        nodes.clear();
        for (const Item* at = items.data(), *const end = at + items.size(); at != end;) {
            const Item* next = at;
            while (next != end && next->start == at->start && next->length == at->length) ++next;
            add_node(at, next);
            at = next;
        }
        close_before(nullptr);
    }

    /// Moves the IPv4 sweep into the table, with the index over the upper 8, 12 or 16 bits: as small as the table allows, to stay near.
    void store4() {
        for (const Wide& start : starts) table.starts4_.push_back(static_cast<std::uint32_t>(start.high >> 32));
        table.nodes4_ = std::move(nodes);
        const std::size_t blocks = starts.size() <= 1024 ? 256 : starts.size() <= 16384 ? 4096 : 65536;
        table.shift_ = 32 - static_cast<unsigned>(std::bit_width(blocks - 1));
        table.index_.resize(blocks + 1, static_cast<std::uint32_t>(starts.size()));
        std::uint32_t interval = 0;
        for (std::size_t block = 0; block < blocks; ++block) {
            while (interval < table.starts4_.size() && table.starts4_[interval] >> table.shift_ < block) ++interval;
            table.index_[block] = interval;
        }
    }

    void build() {
        for (std::size_t place = 0; place < entries.size(); ++place) (void)item(place);   // errors in the list's order
        sweep(4);
        store4();
        sweep(6);
        table.starts6_ = std::move(starts);
        table.nodes6_ = std::move(nodes);
    }
};

PrefixTable::PrefixTable(std::vector<PrefixEntry> entries) : entries_(entries.size()) {
    if (entries.size() >= none / 4) throw std::invalid_argument("too many prefix entries");
    PrefixTableBuilder{*this, entries}.build();
}

std::uint32_t PrefixTable::node_of(std::uint32_t address) const noexcept {
    if (starts4_.empty()) return none;
    const std::uint32_t block = address >> shift_;
    std::uint32_t low = index_[block];
    // Example: the block 10 of 10.0.0.0/8 with 10.1.0.0/16 holds the starts 10.0, 10.1 and 10.2; the last one at or before wins.
    for (std::uint32_t size = index_[block + 1] - low; size > 0;) {
        const std::uint32_t half = size / 2;
        const bool at_or_before = starts4_[low + half] <= address;
        low = at_or_before ? low + half + 1 : low;
        size = at_or_before ? size - half - 1 : half;
    }
    return low == 0 ? none : nodes4_[low - 1];
}

std::uint32_t PrefixTable::node_of(const Wide& address) const noexcept {
    const auto next = std::upper_bound(starts6_.begin(), starts6_.end(), address);
    return next == starts6_.begin() ? none : nodes6_[static_cast<std::size_t>(next - starts6_.begin() - 1)];
}

std::uint32_t PrefixTable::lookup(const Address& address, std::int64_t time_us) const noexcept {
    std::uint32_t node = none;
    if (address.family == 4) {
        node = node_of(key4(address));
    } else if (address.family == 6) {
        node = node_of(Wide{big_endian(address.bytes.data(), 8), big_endian(address.bytes.data() + 8, 8)});
    }
    for (; node != none; node = nodes_[node].parent) {
        for (std::uint32_t i = nodes_[node].first; i < nodes_[node].last; ++i) {
            const Period& period = periods_[i];
            if (period.since_us <= time_us && time_us < period.until_us) return period.value;
        }
    }
    return none;
}

}  // namespace poolsift
