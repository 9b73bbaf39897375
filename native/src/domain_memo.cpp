// The memo's table of names: open addressing with a keyed hash, and what Python answers.
#include "poolsift/domain_memo.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "poolsift/evidence.hpp"

namespace poolsift {

namespace {
constexpr std::size_t first_slots = 1 << 8;
constexpr std::size_t longest_name = 0xFFFF;
}  // namespace

DomainMemo::DomainMemo(const Kernel& kernel) : kernel_(kernel), key_(hash_key()) { clear(); }

void DomainMemo::clear() {
  slots_.assign(first_slots, Slot{});
  mask_ = first_slots - 1;
  names_.assign(first_name, Name{});
  arena_.clear();
  needs_.clear();
  aliased_ = false;
  ++generation_;
}

/// Linear probing: the slot of the name, or the free one where it belongs.
DomainMemo::Slot& DomainMemo::find(std::uint64_t hash, std::string_view folded, std::uint16_t tenant) noexcept {
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::uint64_t at = hash & mask_;; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    if (slot.id == name_missing) return slot;
    if (slot.tag != tag) continue;
    const Name& name = names_[slot.id];
    if (name.tenant == tenant && name.size == folded.size() && same_bytes(text_of(name).data(), folded.data(), folded.size())) return slot;
  }
}

NameId DomainMemo::intern(std::uint64_t hash, std::string_view folded, std::uint16_t tenant, bool idna) {
  Slot& slot = find(hash, folded, tenant);
  return slot.id != name_missing ? settled(slot.id) : add(slot, hash, folded, tenant, idna);
}

NameId DomainMemo::add(Slot& slot, std::uint64_t hash, std::string_view folded, std::uint16_t tenant, bool idna) {
  if (folded.empty() || folded.size() > longest_name) throw std::invalid_argument("a domain name of no bytes or too many");
  if (arena_.size() > std::numeric_limits<std::uint32_t>::max() - folded.size()) throw std::length_error("too many domain names");
  const auto id = static_cast<NameId>(names_.size());
  const std::uint32_t facts = idna ? std::uint32_t{domain_unanswered} : kernel_.describe(folded, tenant);
  Name& name = names_.emplace_back();
  name.facts = facts;
  name.size = static_cast<std::uint16_t>(folded.size());
  name.tenant = tenant;
  if (folded.size() <= near_size) {
    std::memcpy(name.near, folded.data(), folded.size());
  } else {
    name.offset = static_cast<std::uint32_t>(arena_.size());
    arena_ += folded;
  }
  slot = {static_cast<std::uint32_t>(hash >> 32), id};
  if (idna) needs_[id] = need_idna | need_organizational;
  if (own_may_matter(id)) needs_[id] = need_organizational;
  if (names_.size() * 8 > slots_.size() * 5) grow();
  return id;
}

void DomainMemo::look_up_dns(std::span<const NameId> ids) noexcept {
  const DnsTable* const table = kernel_.spec().dns;
  std::array<std::uint64_t, 64> hashes;
  for (; !ids.empty(); ids = ids.subspan(std::min(ids.size(), hashes.size()))) {
    const std::span<const NameId> some = ids.first(std::min(ids.size(), hashes.size()));
    for (std::size_t i = 0; table != nullptr && i < some.size(); ++i) {
      hashes[i] = table->hash(text(some[i]));
      table->prefetch(hashes[i]);
    }
    for (std::size_t i = 0; table != nullptr && i < some.size(); ++i) table->prefetch_record(hashes[i]);
    for (const NameId id : some) look_up_dns(id);
  }
}

/// Unless a record itself says whether its sender is accepted: then stage_domains asks.
bool DomainMemo::own_may_matter(NameId id) noexcept {
  if ((names_[id].facts & domain_own_open) == 0) return false;
  if ((names_[id].facts & domain_accepted) != 0) return own_matters(id, yes);
  return own_matters(id, no) || own_matters(id, unknown);
}

/// A table that grows is not looked at here: its answer may come after the name was met and before it is a sender, so any is possible.
bool DomainMemo::own_matters(NameId id, std::uint32_t accepted) noexcept {
  if (kernel_.dns_grows()) return kernel_.own_matters(unknown, accepted) || kernel_.own_matters(no, accepted) || kernel_.own_matters(yes, accepted);
  look_up_dns(id);
  return kernel_.own_matters(names_[id].facts >> domain_resolves_shift & 3, accepted);
}

/// Hangs every name into new slots, in the order of the names, which is the order of memory.
void DomainMemo::grow() {
  slots_.assign(slots_.size() * 2, Slot{});
  mask_ = slots_.size() - 1;
  for (NameId id = first_name; id < names_.size(); ++id) {
    const std::uint64_t code = hash(text(id), names_[id].tenant);
    std::uint64_t at = code & mask_;
    while (slots_[at].id != name_missing) at = (at + 1) & mask_;
    slots_[at] = {static_cast<std::uint32_t>(code >> 32), id};
  }
}

std::vector<Question> DomainMemo::questions() const {
  std::vector<Question> asked;
  asked.reserve(needs_.size());
  for (const auto& [id, need] : needs_) asked.push_back({id, need, std::string(text(id))});
  std::sort(asked.begin(), asked.end(), [](const Question& a, const Question& b) { return a.id < b.id; });
  return asked;
}

void DomainMemo::fill(NameId id, std::string_view canonical, std::string_view organizational) {
  const auto asked = needs_.find(id);
  if (asked == needs_.end()) throw std::invalid_argument("nobody asked about name " + std::to_string(id));
  NameId target = id;
  if ((asked->second & need_idna) != 0) {
    const std::uint16_t tenant = names_[id].tenant;
    target = canonical.empty() ? name_unusable : canonical == text(id) ? id : intern(canonical, tenant, false);
    if ((facts(target) & domain_unanswered) != 0) names_[target].facts = kernel_.describe(canonical, tenant);
    if (target != id) {
      names_[id].facts = domain_alias;
      names_[id].organizational = target;
      aliased_ = true;
    }
  }
  const bool wanted = (asked->second & need_organizational) != 0 && target != name_unusable;
  if (wanted && organizational.empty()) throw std::invalid_argument("the organizational domain of name " + std::to_string(id) + " is missing");
  if (wanted) set_organizational(target, organizational);
  needs_.erase(id);
}

void DomainMemo::set_organizational(NameId id, std::string_view organizational) {
  const std::uint16_t tenant = names_[id].tenant;
  const NameId known = organizational == text(id) ? id : intern(organizational, tenant, false);
  names_[id].organizational = known;
  names_[id].facts &= ~std::uint32_t{domain_own_open};
  if (kernel_.tenant(tenant).own.contains(organizational)) names_[id].facts |= domain_own;
}

}  // namespace poolsift
