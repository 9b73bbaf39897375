// Building a kernel from its spec, and the look-ups that no other noun owns.
#include "poolsift/kernel.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "poolsift/evidence.hpp"

namespace poolsift {

namespace {

void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

/// What DNS says of a name, and whether it was asked.
constexpr std::uint32_t dns_bits = domain_dns_open | 3U << domain_resolves_shift | domain_aaaa_only | domain_null_mx;

std::uint32_t resolves_fact(const DnsFacts& facts, bool not_public) noexcept {
  if (facts.a == DnsStatus::present || facts.mx == DnsStatus::present) return yes;
  if (not_public) return no;  // unless a snapshot has A or MX (docs/choices.md 17)
  return facts.a == DnsStatus::absent && facts.mx == DnsStatus::absent ? no : unknown;
}

}  // namespace

Kernel::Kernel(KernelSpec spec) : spec_(std::move(spec)) {
  check_profiles();
  check_tables();
  networks_ = PrefixTable(spec_.prefixes);
  spf_excluded_ = PrefixTable(spec_.spf_excluded);
  for (const std::string& name : spec_.special_use) special_use_.add(name, true);
  for (std::size_t i = 0; i < spec_.blocks.size(); ++i) block_codes_.add(spec_.blocks[i].code, static_cast<std::uint8_t>(i + 1));
  index_tenants();
  index_fixes();
  find_own_states();
}

void Kernel::check_profiles() const {
  require(!spec_.profiles.empty(), "no profile");
  require(!spec_.timeline.empty() && spec_.timeline.front().since_us == std::numeric_limits<std::int64_t>::min(), "the timeline does not begin at the beginning");
  require(std::is_sorted(spec_.timeline.begin(), spec_.timeline.end(), [](const Era& a, const Era& b) { return a.since_us < b.since_us; }),
          "the timeline is not in order");
  const auto exists = [&](std::size_t profile) { return profile < spec_.profiles.size(); };
  require(exists(spec_.timeless) && std::all_of(spec_.compare.begin(), spec_.compare.end(), exists), "a profile index is out of range");
  require(std::all_of(spec_.timeline.begin(), spec_.timeline.end(), [&](const Era& era) { return exists(era.profile); }), "a profile index is out of range");
  for (const Profile& profile : spec_.profiles) {
    require(profile.decisions.size() == evidence_states, "a profile's table is not of 65,536 states");
    for (const Decision& one : profile.decisions) {
      require(one.pool < pool_words.size() && one.rule < spec_.rules.size() && (one.fix == no_value || one.fix < fix_words.size()),
              "a profile's table names a pool, rule or fix that does not exist");
    }
  }
}

void Kernel::check_tables() const {
  require(!spec_.rules.empty() && spec_.rules.size() < 128, "between 1 and 127 rules are possible");  // the column's indices are int8
  require(spec_.fixes.size() == spec_.rules.size() * (block_reasons + 1) * fix_contexts, "the table of fixes has not a byte for every rule, reason and context");
  for (const char fix : spec_.fixes) {
    const auto number = static_cast<std::uint8_t>(fix);
    require(number == no_value || number < fix_words.size(), "the table of fixes names a fix that does not exist");
  }
  require(spec_.investigate_fix == no_value || spec_.investigate_fix < fix_words.size(), "the fix 'investigate' does not exist");
  const auto observable = [](std::uint8_t pool) { return pool < observed_words.size(); };
  for (const PrefixEntry& entry : spec_.prefixes) require(entry.value < observed_words.size(), "a prefix has no observed pool");
  for (const auto& [value, pool] : spec_.sfp) require(observable(pool), "an SFP value has no observed pool");
  for (const BlockCode& block : spec_.blocks) require(block.reason < block_reasons, "a block code has no reason");
  require(spec_.blocks.size() <= 32, "at most 32 block codes are possible");
  require(spec_.tenants.size() == spec_.tenant_ids.size(), "tenants and their ids differ in number");
  require(spec_.tenants.size() < std::numeric_limits<std::uint16_t>::max(), "at most 65,534 tenants are possible");
}

/// docs/choices.md 9: by id; a tenant alone in its file also takes records without id, and all of them if it has none itself.
void Kernel::index_tenants() {
  for (std::size_t i = 0; i < spec_.tenants.size(); ++i) {
    spec_.tenants[i].known = true;
    const std::string& id = spec_.tenant_ids[i];
    if (!id.empty() && !tenants_.emplace(id, TenantAnswer{static_cast<std::uint16_t>(i), false}).second) {
      throw std::invalid_argument("tenant id '" + id + "' stands twice");
    }
  }
  const auto nobody = static_cast<std::uint16_t>(spec_.tenants.size());
  const bool alone = nobody == 1;
  tenant_missing_.tenant = alone ? 0 : nobody;
  tenant_other_.tenant = alone && spec_.tenant_ids[0].empty() ? 0 : nobody;
  spec_.tenants.emplace_back();  // the tenant of whom nothing is known
  for (const std::string& id : spec_.consumer_tenants) tenants_.emplace(id, tenant_other_).first->second.consumer = true;
}

void Kernel::index_fixes() {
  fix_depends_.assign(spec_.rules.size(), 0);
  for (std::size_t rule = 0; rule < spec_.rules.size(); ++rule) {
    for (std::uint8_t reason = 0; reason <= block_reasons; ++reason) {
      for (unsigned context = 0; context < fix_contexts; ++context) {
        for (unsigned bit = 1; bit < fix_contexts; bit *= 2) {
          const auto number = static_cast<std::uint8_t>(rule);
          if (fix(number, reason, context) != fix(number, reason, context ^ bit)) fix_depends_[rule] |= bit;
        }
      }
    }
  }
}

void Kernel::find_own_states() {
  for (const Profile& profile : spec_.profiles) {
    for (std::uint32_t state = 0; state < evidence_states; ++state) {
      if (fix_depends(profile.decisions[state].rule, context_own)) {
        own_matters_[fact_in(state, fact_domain_resolves) * 4 + fact_in(state, fact_accepted_domain)] = true;
      }
    }
  }
}

TenantAnswer Kernel::tenant_of(std::string_view id) const {
  if (id.empty()) return tenant_missing_;
  std::string folded(id.size(), '\0');
  fold_text(id, folded.data());
  const auto found = tenants_.find(folded);
  return found == tenants_.end() ? tenant_other_ : found->second;
}

std::size_t Kernel::profile_at(bool known, std::int64_t time_us) const noexcept {
  if (!known) return spec_.timeless;
  std::size_t era = spec_.timeline.size() - 1;
  while (era > 0 && spec_.timeline[era].since_us > time_us) --era;
  return spec_.timeline[era].profile;
}

std::uint32_t Kernel::describe(std::string_view name, std::uint16_t number) const noexcept {
  if (name.starts_with('[')) return domain_usable | domain_literal;
  std::uint32_t facts = domain_usable;
  const Tenant& tenant = spec_.tenants[number];
  const bool single_label = name.find('.') == std::string_view::npos;
  if (single_label || special_use_.contains(name)) facts |= domain_not_public;
  if (!single_label && tenant.accepted.contains(name)) facts |= domain_accepted;
  if (tenant.own.covers(name)) facts |= domain_own_open;
  return facts | domain_dns_open;
}

std::uint32_t Kernel::with_dns(std::uint32_t facts, std::string_view name) const noexcept {
  facts &= ~dns_bits;
  const DnsFacts dns = spec_.dns == nullptr ? DnsFacts{} : spec_.dns->lookup(name);
  if (dns_grows() && dns == DnsFacts{}) facts |= domain_dns_open;
  if (dns.a == DnsStatus::absent && dns.mx == DnsStatus::absent && dns.aaaa == DnsStatus::present) facts |= domain_aaaa_only;
  if (dns.null_mx) facts |= domain_null_mx;
  return facts | resolves_fact(dns, (facts & domain_not_public) != 0) << domain_resolves_shift;
}

}  // namespace poolsift
