// domain_set.cpp: open addressing over one string of names; a name's parents are tried one by one.
#include "poolsift/domain_set.hpp"

#include <algorithm>
#include <stdexcept>

namespace poolsift {

namespace {
constexpr std::size_t longest_name = 253;
constexpr std::size_t fewest_slots = 16;
}  // namespace

/// Place of the slot with the name, or of the free slot where it belongs. There is always a free one.
std::size_t DomainSet::find(Bytes name) const noexcept {
    const std::uint64_t hash = key_(name);
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
        const Slot& slot = slots_[at];
        if (slot.kind == Kind::free) return at;
        if (slot.tag == tag && Bytes{names_}.substr(slot.offset, slot.length) == name) return at;
    }
}

DomainSet::Kind DomainSet::kind_of(Bytes name) const noexcept {
    if (name.size() < shortest_ || name.size() > longest_) return Kind::free;   // also: the set is empty
    return slots_[find(name)].kind;
}

/// Is a parent of the name an entry of this kind or a wider one? Example: a.b.example has the parents b.example and example.
bool DomainSet::parent_is(Bytes name, Kind at_least) const noexcept {
    for (std::size_t dot = name.find('.'); dot != Bytes::npos; dot = name.find('.')) {
        name.remove_prefix(dot + 1);
        if (name.size() < shortest_) return false;
        if (kind_of(name) >= at_least) return true;
    }
    return false;
}

bool DomainSet::contains(Bytes canonical) const noexcept {
    if (kind_of(canonical) != Kind::free) return true;
    return has_subdomains_ && parent_is(canonical, Kind::subdomains);
}

bool DomainSet::covers(Bytes canonical) const noexcept {
    return kind_of(canonical) != Kind::free || parent_is(canonical, Kind::exact);
}

void DomainSet::add(Bytes canonical, bool subdomains) {
    if (canonical.empty() || canonical.size() > longest_name) throw std::invalid_argument("a domain name has 1 to 253 bytes");
    if (size_ + 1 > slots_.size() / 4 * 3) grow();
    const std::size_t place = find(canonical);
    const Kind kind = subdomains ? Kind::subdomains : Kind::exact;
    if (slots_[place].kind == Kind::free) {
        const auto tag = static_cast<std::uint32_t>(key_(canonical) >> 32);
        const std::size_t offset = names_.size();
        names_.append(canonical);
        slots_[place] = {offset, tag, static_cast<std::uint8_t>(canonical.size()), kind};
        ++size_;
    } else if (slots_[place].kind < kind) {
        slots_[place].kind = kind;
    }
    has_subdomains_ = has_subdomains_ || subdomains;
    shortest_ = std::min(shortest_, canonical.size());
    longest_ = std::max(longest_, canonical.size());
}

void DomainSet::grow() {
    std::vector<Slot> old(std::max(fewest_slots, slots_.size() * 2));
    old.swap(slots_);
    for (const Slot& slot : old) {
        if (slot.kind != Kind::free) slots_[find(Bytes{names_}.substr(slot.offset, slot.length))] = slot;
    }
}

}  // namespace poolsift
