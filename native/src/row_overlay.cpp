// What an overlay changes in the facts of one row, whether they were found out just now or by an earlier run (docs/internals.md, "Overlay").
#include "poolsift/classify.hpp"
#include "poolsift/evidence.hpp"

namespace poolsift {

namespace {

/// Fact 0 of a row whose recipient is accepted only under the overlay. What never left stays so; mail that came in for one's own is
/// not outbound; what Microsoft 365 is known to have sent on went out all the same.
constexpr std::uint32_t outbound_to_accepted(std::uint32_t before, bool inbound, bool sent) noexcept { return before != no && !inbound && sent ? yes : no; }

/// Fact 5. A domain of header_from that is accepted turns a no into an unknown, as it does in a tenant file.
constexpr std::uint32_t accepted_anew(std::uint32_t before, std::uint32_t sender, std::uint32_t header) noexcept {
  if ((sender & domain_overlay_accepts) != 0) return yes;
  return before == no && (header & domain_overlay_accepts) != 0 ? unknown : before;
}

constexpr bool accepted_only_now(std::uint32_t name) noexcept { return (name & (domain_accepted | domain_overlay_accepts)) == domain_overlay_accepts; }

}  // namespace

/// `spf_from` is none where the overlay takes the result away that it spoke of.
std::uint32_t Classifier::overlaid(const Block& block, std::int64_t at, const StagedRow& staged, std::uint32_t evidence, std::uint8_t& spf_from) const {
  const std::uint32_t sender = memo_.facts(sender_of(staged));
  if (accepted_only_now(memo_.facts(staged.recipient))) {
    const bool inbound = block.direction[at] == direction_inbound;
    evidence = with_fact(evidence, fact_outbound, outbound_to_accepted(fact_in(evidence, fact_outbound), inbound, sent_on(block, at)));
  }
  const std::uint32_t accepted = accepted_anew(fact_in(evidence, fact_accepted_domain), sender, memo_.facts(staged.header));
  evidence = with_fact(evidence, fact_accepted_domain, accepted);
  if ((sender & domain_overlay_publishes) != 0) evidence = with_fact(evidence, fact_domain_resolves, yes) & ~std::uint32_t{flag_aaaa_only};
  if ((memo_.facts(reference_of(staged)) & domain_overlay_signs) != 0) evidence = with_fact(evidence, fact_dkim_pass, yes);
  return overlaid_spf(block, at, staged, evidence, spf_from);
}

/// Fact 6. Behind a gateway that filters only now, a result of before was about the gateway: what the SPF stage found for the address
/// before it counts instead. An authorized address passes whatever is known of the rest of the record. Only MAIL FROM is looked at:
/// verdicts keep no HELO name.
std::uint32_t Classifier::overlaid_spf(const Block& block, std::int64_t at, const StagedRow& staged, std::uint32_t evidence, std::uint8_t& spf_from) const {
  const std::uint8_t evaluated = block.spf_evaluated[at];
  if ((evaluated & spf_replaced) != 0) {
    const std::uint8_t word = evaluated & spf_word_bits;
    evidence = with_fact(evidence, fact_spf_pass, spf_facts[word]) & ~std::uint32_t{flag_spf_evaluated};
    evidence |= word != 0 ? std::uint32_t{flag_spf_evaluated} : 0;
    spf_from = word != 0 ? std::uint8_t{spf_evaluated} : no_value;
  }
  if ((memo_.facts(staged.mail) & domain_overlay_authorizes) == 0) return evidence;
  const Address address = arrival_of(kernel_, batch_, block.first + at, staged.tenant).address;
  const bool passes = address.family != 0 && kernel_.authorized(memo_.text(staged.mail), address);
  return passes ? with_fact(evidence, fact_spf_pass, yes) : evidence;
}

/// The facts that the overlay decided otherwise than what was said, a bit each. A result that no longer counts was decided in any case: whether
/// it would have been another without the overlay is not looked for.
std::uint8_t Classifier::overlaid_facts(const Block& block, std::int64_t at, std::uint32_t said, std::uint32_t evidence) noexcept {
  const unsigned replaced = (block.spf_evaluated[at] & spf_replaced) != 0 ? 1U << fact_spf_pass : 0U;
  return static_cast<std::uint8_t>(differing_facts(said, evidence) | replaced);
}

/// The Filtering of the gateway that handed a row over; PrefixTable::none where it was none.
std::uint32_t Classifier::gateway_of(std::int64_t row, std::uint16_t tenant) const {
  Address client;
  return batch_.client_ip.read(row, client) ? kernel_.tenant(tenant).gateways.lookup(client, no_time) : PrefixTable::none;
}

}  // namespace poolsift
