// Everything the classifier knows before it sees a record: profiles, networks, tenants, tables. Immutable once built, shared by threads.
#pragma once

#include <cstdint>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "poolsift/domain_set.hpp"
#include "poolsift/domain_table.hpp"
#include "poolsift/host_name.hpp"
#include "poolsift/pool_name.hpp"
#include "poolsift/prefix_table.hpp"
#include "poolsift/spf_table.hpp"
#include "poolsift/verdict.hpp"
#include "poolsift/words.hpp"

namespace poolsift {

/// A dated rule profile, flattened: one decision for every state of the evidence.
struct Profile {
  std::string name;
  std::vector<Decision> decisions;  ///< indexed by the low 16 bits of the evidence
};

/// From `since_us` on, by the record's time, `profile` holds.
struct Era {
  std::int64_t since_us;
  std::size_t profile;
};

/// A code by which Microsoft 365 says that it refused to send (the contract's block table).
struct BlockCode {
  std::string code;
  std::string phrase;  ///< lower case; empty: the code says enough
  bool required = false;  ///< without a recorded text the condition does not hold
  std::uint8_t reason = no_reason;
};

/// What is said of enhanced filtering at a gateway; the value of a gateway's prefix.
enum GatewayFiltering : std::uint32_t {
  gateway_filtered,
  gateway_unfiltered,
  gateway_not_said,
  gateway_newly_filtered,  ///< by an overlay: what was recorded of SPF was about the gateway and no longer counts
};

/// What a tenant's file says. The value of a gateway prefix is a GatewayFiltering.
struct Tenant {
  bool known = false;  ///< false: no accepted set is known
  bool newly_filtered = false;  ///< some gateway is
  bool learned = false;  ///< the set can say yes, never no
  DomainSet accepted;
  DomainSet own;  ///< organizational domains of accepted domains
  PrefixTable gateways;
};

/// What Cython fills in; `Kernel` checks it and builds what looking up needs.
struct KernelSpec {
  std::vector<Profile> profiles;
  std::vector<Era> timeline;
  std::size_t timeless = 0;
  std::vector<std::size_t> compare;
  std::vector<std::string> rules;
  std::string fixes;  ///< [rule][reason 0..8][context 0..63]
  std::uint8_t investigate_rule = no_value;
  std::uint8_t investigate_fix = no_value;
  std::vector<PrefixEntry> prefixes;
  HostNames hosts;
  PoolNames pool_names;
  std::unordered_map<std::int64_t, std::uint8_t> sfp;
  std::vector<BlockCode> blocks;
  std::vector<std::string> special_use;
  std::vector<std::string> consumer_tenants;
  std::vector<std::string> ndr_senders;
  std::vector<std::string> postmasters;
  std::vector<Tenant> tenants;
  std::vector<std::string> tenant_ids;  ///< lower case, of the same index; empty: the tenant has no id
  const DnsTable* dns = nullptr;  ///< outlives the kernel; null: DNS is off
  SpfTable* spf = nullptr;        ///< outlives the kernel; null: SPF is not evaluated
  std::vector<PrefixEntry> spf_excluded;  ///< addresses SPF is never evaluated for
};

/// Which tenant a record belongs to.
struct TenantAnswer {
  std::uint16_t tenant = 0;
  bool consumer = false;  ///< one of the consumer service's own tenants
};

/// What a domain is, as bits of the number that the memo keeps for it.
enum DomainFact : std::uint32_t {
  domain_usable = 1 << 0,
  domain_literal = 1 << 1,
  domain_not_public = 1 << 2,  ///< single label or special-use name
  domain_accepted = 1 << 3,
  domain_resolves_shift = 4,   ///< two bits, a Known
  domain_aaaa_only = 1 << 6,
  domain_null_mx = 1 << 7,
  domain_own_open = 1 << 8,    ///< own only if its organizational domain says so, which nobody has asked yet
  domain_own = 1 << 9,
  domain_unanswered = 1 << 10,  ///< waits for IDNA
  domain_dns_open = 1 << 11,    ///< DNS has not been looked at (most recipients and signers never need it), or has not said anything yet
  domain_alias = 1 << 12,       ///< another spelling of a name; nothing else is known of it
};

class Kernel {
 public:
  /// Throws std::invalid_argument for a spec that contradicts itself.
  explicit Kernel(KernelSpec spec);
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  const KernelSpec& spec() const noexcept { return spec_; }
  const PrefixTable& networks() const noexcept { return networks_; }
  const WordTable& block_codes() const noexcept { return block_codes_; }
  /// Addresses that SPF is never evaluated for.
  bool spf_excludes(const Address& address) const noexcept { return spf_excluded_.lookup(address, no_time) != PrefixTable::none; }
  const Tenant& tenant(std::uint16_t number) const noexcept { return spec_.tenants[number]; }
  bool dated() const noexcept { return spec_.timeline.size() > 1; }

  /// `id` as logged, ASCII case ignored; empty: not recorded.
  TenantAnswer tenant_of(std::string_view id) const;
  /// The profile in force at a time; `known` false: the record has none.
  std::size_t profile_at(bool known, std::int64_t time_us) const noexcept;
  /// The DomainFact bits of a canonical name but those of DNS, which are open.
  std::uint32_t describe(std::string_view name, std::uint16_t tenant) const noexcept;
  /// The same bits with those of DNS, which stay open where an answer may still come. Of a table that grows, whoever asks holds reading_dns().
  std::uint32_t with_dns(std::uint32_t facts, std::string_view name) const noexcept;
  /// Whether answers may come while the kernel is used.
  bool dns_grows() const noexcept { return spec_.dns != nullptr && spec_.dns->grows(); }
  std::shared_lock<std::shared_mutex> reading_dns() const { return dns_grows() ? spec_.dns->reading() : std::shared_lock<std::shared_mutex>(); }
  /// The fix of a rule, `no_value` for none; `reason` may be `no_reason`.
  std::uint8_t fix(std::uint8_t rule, std::uint8_t reason, unsigned context) const noexcept {
    return static_cast<std::uint8_t>(spec_.fixes[(rule * (block_reasons + 1) + reason) * fix_contexts + context]);
  }
  /// Whether the fix of a rule looks at any of these context bits.
  bool fix_depends(std::uint8_t rule, unsigned context) const noexcept { return (fix_depends_[rule] & context) != 0; }
  /// Whether a record with these two facts can come to a rule whose fix asks whether the domain is the tenant's own.
  bool own_matters(std::uint32_t resolves, std::uint32_t accepted) const noexcept { return own_matters_[resolves * 4 + accepted]; }

 private:
  void check_profiles() const;
  void check_tables() const;
  void index_tenants();
  void index_fixes();
  void find_own_states();

  KernelSpec spec_;
  PrefixTable networks_;
  PrefixTable spf_excluded_;
  DomainSet special_use_;
  WordTable block_codes_;
  std::unordered_map<std::string, TenantAnswer> tenants_;
  TenantAnswer tenant_missing_;  ///< of records without a tenant id
  TenantAnswer tenant_other_;    ///< of ids that are not in the file
  std::vector<unsigned> fix_depends_;
  bool own_matters_[16] = {};
};

}  // namespace poolsift
