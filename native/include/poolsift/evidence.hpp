// The eight facts about a record and the remarks beside them, packed into 32 bits (docs/internals.md, "Numbers").
#pragma once

#include <cstdint>

namespace poolsift {

enum Known : std::uint32_t { unknown = 0, no = 1, yes = 2 };

/// The number of a fact; its two bits begin at twice that number.
enum Fact : unsigned { fact_outbound, fact_domain_resolves, fact_blocked, fact_ndr, fact_spam, fact_accepted_domain, fact_spf_pass, fact_dkim_pass };

/// accepted_domain (5) = yes (2) gives 2 << 10 = 0x0800; evidence_of(fact_outbound, yes) = 2.
constexpr std::uint32_t evidence_of(Fact fact, std::uint32_t value) noexcept { return value << (2 * fact); }

/// The inverse of evidence_of.
constexpr std::uint32_t fact_in(std::uint32_t evidence, Fact fact) noexcept { return evidence >> (2 * fact) & 3; }

/// The evidence with another value of one fact.
constexpr std::uint32_t with_fact(std::uint32_t evidence, Fact fact, std::uint32_t value) noexcept {
  return (evidence & ~evidence_of(fact, 3)) | evidence_of(fact, value);
}

/// The facts alone: the index of a state in a profile's table.
inline constexpr std::uint32_t fact_mask = 0xFFFF;
inline constexpr std::uint32_t evidence_states = 0x10000;

/// A bit for each fact in which two states differ, bit 0 = outbound. accepted_domain (5) no and yes, 0x0400 and 0x0800, differ in 0x0C00:
/// either bit of a pair counts as its lower one, 0x0400, and the eight lower ones are pushed together, 0x20.
constexpr std::uint8_t differing_facts(std::uint32_t one, std::uint32_t other) noexcept {
  std::uint32_t bits = one ^ other;
  bits = (bits | bits >> 1) & 0x5555;
  bits = (bits | bits >> 1) & 0x3333;
  bits = (bits | bits >> 2) & 0x0F0F;
  return static_cast<std::uint8_t>(bits | bits >> 4);
}
static_assert(differing_facts(0x0400, 0x0800) == 0x20 && differing_facts(0xAAAA, 0x5555) == 0xFF && differing_facts(0x10000, 2) == 1);

enum Flag : std::uint32_t {
  flag_sender_from_header = 1U << 16,
  flag_spf_evaluated = 1U << 17,
  flag_joined = 1U << 18,
  flag_p1_p2_disagree = 1U << 19,
  flag_observed_conflict = 1U << 20,
  flag_null_path_without_kind = 1U << 21,
  flag_aaaa_only = 1U << 22,
  flag_null_mx = 1U << 23,
  flag_submitted = 1U << 24,
};

}  // namespace poolsift
