// The eight facts of one row, as the contract's table of evidence reads (docs/choices.md 12-18).
#include "poolsift/classify.hpp"
#include "poolsift/evidence.hpp"
#include "poolsift/reply_text.hpp"

namespace poolsift {

namespace {

/// By SpfWord.
constexpr std::uint32_t spf_facts[] = {unknown, yes, no, no, no, no, no, unknown};
/// By KindWord; a missing kind is judged by the sender.
constexpr std::uint32_t ndr_facts[] = {unknown, no, yes, yes, no, no, no};
/// Without a code of the block table, by StatusWord; `failed` needs some code to be a no.
constexpr std::uint32_t blocked_facts[] = {unknown, no, unknown, no, unknown, unknown, unknown, unknown};

constexpr bool has_domain(NameId id) noexcept { return id >= first_name; }

constexpr bool never_left(std::uint8_t status) noexcept {
  return status == status_expanded || status == status_quarantined || status == status_dropped;
}

/// What is known of the recipient's domain.
struct Recipient {
  bool usable;
  bool accepted;
  bool set_known;  ///< a set that can say no
};

/// Fact 0; the first that applies.
std::uint32_t outbound_fact(const Block& block, std::int64_t at, bool consumer_tenant, const Recipient& recipient) noexcept {
  const std::uint8_t direction = block.direction[at];
  const bool inbound = direction == direction_inbound;
  if (direction == direction_internal || consumer_tenant || (block.sent[at] & sent_by_consumer) != 0 || never_left(block.status[at])) return no;
  if (inbound && (recipient.accepted || !recipient.usable)) return no;
  if ((block.sent[at] & sent_by_microsoft) != 0) return yes;
  if (recipient.accepted) return no;
  if (recipient.usable && recipient.set_known) return !inbound || block.forwarded[at] == yes ? yes : unknown;
  return direction == direction_outbound ? yes : unknown;
}

/// Fact 3. With kind not recorded, the sender's local part speaks.
std::uint32_t ndr_fact(std::uint8_t kind, const StagedRow& row) noexcept {
  if (kind != kind_missing) return ndr_facts[kind];
  if (row.mail == name_null_path) return yes;
  if (!has_domain(sender_of(row))) return unknown;
  const unsigned local = row.marks >> (row.mail == name_missing ? mark_header_local_shift : mark_mail_local_shift) & 3;
  if (local == local_ndr_sender) return yes;
  return local == local_postmaster ? unknown : no;
}

/// Fact 5, from what the domains are.
std::uint32_t accepted_fact(const Tenant& tenant, std::uint32_t sender, std::uint32_t other) noexcept {
  if (!tenant.known || (sender & domain_usable) == 0) return unknown;
  if ((sender & domain_accepted) != 0) return yes;
  return tenant.learned || (other & domain_accepted) != 0 ? unknown : no;
}

/// Fact 7, where no domain is recorded: DMARC passed, and not by SPF, so DKIM did. What was evaluated here does not count: DMARC knew
/// the recorded result.
std::uint32_t dkim_fact(const Block& block, std::int64_t at, std::uint8_t staged) noexcept {
  if (staged != dkim_without_domain) return staged;
  const std::uint8_t spf = block.spf[at];
  return block.dmarc[at] != 0 && spf != spf_missing && spf != spf_pass ? yes : unknown;
}

constexpr std::uint32_t when(bool holds, Flag flag) noexcept { return holds ? std::uint32_t{flag} : 0; }

}  // namespace

std::uint32_t Classifier::evidence_of_row(const Block& block, std::int64_t at, const StagedRow& staged) const {
  const std::uint32_t sender = memo_.facts(sender_of(staged));
  const std::uint32_t recipient = memo_.facts(staged.recipient);
  const Tenant& tenant = kernel_.tenant(staged.tenant);
  const Recipient to{(recipient & domain_usable) != 0, (recipient & domain_accepted) != 0, tenant.known && !tenant.learned};
  std::uint32_t accepted = block.accepted[at];
  if (accepted == unknown) accepted = accepted_fact(tenant, sender, memo_.facts(staged.header));
  std::uint32_t blocked = blocked_facts[block.status[at]];
  if (block.code[at] >= first_block_code) blocked = block_reason(block, at) == no_reason ? unknown : yes;
  else if (block.code[at] == code_of_others && block.status[at] == status_failed) blocked = no;
  std::uint32_t evidence = evidence_of(fact_outbound, outbound_fact(block, at, (staged.marks & mark_consumer_tenant) != 0, to)) |
                           evidence_of(fact_domain_resolves, sender >> domain_resolves_shift & 3) | evidence_of(fact_blocked, blocked) |
                           evidence_of(fact_ndr, ndr_fact(block.kind[at], staged)) | evidence_of(fact_spam, block.spam[at]) |
                           evidence_of(fact_accepted_domain, accepted) | evidence_of(fact_spf_pass, spf_facts[counted_spf(block, at)]) |
                           evidence_of(fact_dkim_pass, dkim_fact(block, at, staged.dkim));
  const bool header_speaks = !has_domain(staged.mail) && staged.mail != name_unusable && has_domain(staged.header);
  evidence |= when(header_speaks, flag_sender_from_header) | when((block.spf_evaluated[at] & spf_word_bits) != 0, flag_spf_evaluated) | when(block.joined[at] == yes, flag_joined) |
              when(has_domain(staged.mail) && has_domain(staged.header) && staged.mail != staged.header, flag_p1_p2_disagree) |
              when((block.sent[at] & sent_conflict) != 0, flag_observed_conflict) |
              when(staged.mail == name_null_path && block.kind[at] == kind_missing, flag_null_path_without_kind) |
              when((sender & domain_aaaa_only) != 0, flag_aaaa_only) | when((sender & domain_null_mx) != 0, flag_null_mx) |
              when(block.submitted[at] == yes, flag_submitted);
  return evidence;
}

/// Why Microsoft 365 refused to send; no_reason unless a code of the block table says so and its text condition holds.
std::uint8_t Classifier::block_reason(const Block& block, std::int64_t at) const {
  if (block.code[at] < first_block_code) return no_reason;
  const BlockCode& code = kernel_.spec().blocks[block.code[at] - first_block_code];
  std::string_view text;
  const bool recorded = batch_.status_text.read(block.first + at, text) && !text.empty();
  const bool holds = recorded ? contains_ignoring_case(text, code.phrase) : !code.required;
  return holds ? code.reason : no_reason;
}

}  // namespace poolsift
