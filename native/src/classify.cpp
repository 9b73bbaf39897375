// Second pass: a block of rows is decoded column by column, observed, then judged row by row.
#include "poolsift/classify.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>

#include "poolsift/evidence.hpp"
#include "poolsift/srs.hpp"

namespace poolsift {

namespace {

struct NumberOf {
  const WordTable& table;
  std::uint8_t operator()(std::string_view text) const noexcept { return table.lookup(text); }
};

/// Compared exactly after trimming ASCII spaces (docs/choices.md 3).
struct NumberOfCode {
  const WordTable& table;
  std::uint8_t operator()(std::string_view text) const noexcept {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text.empty() ? code_missing : static_cast<std::uint8_t>(table.lookup(text) + code_of_others);
  }
};

std::uint8_t spf_from_of(const Block& block, std::int64_t at) noexcept {
  if ((block.spf_evaluated[at] & spf_word_bits) != 0) return spf_evaluated;
  if (counted_spf(block, at) == spf_missing) return no_value;
  return block.joined[at] == yes ? spf_joined : spf_log;
}

void read_bools(const BoolColumn& column, const Block& block, std::uint8_t* out) {
  if (column.absent()) {
    std::fill_n(out, block.end - block.first, std::uint8_t{0});
    return;
  }
  for (std::int64_t row = block.first; row < block.end; ++row) *out++ = column.read(row);
}

}  // namespace

Classifier::Classifier(const Kernel& kernel)
    : kernel_(kernel), memo_(kernel), stage_(kernel, memo_), spf_(kernel, memo_), pool_names_(kernel.spec().pool_names), observer_(kernel, pool_names_) {}

void Classifier::read(const ArrowSchema& schema, const ArrowArray& array) {
  batch_ = open_batch(schema, array, spf_.active());
  stage_.stage(batch_);
  if (spf_.active()) spf_.stage(batch_, stage_.rows());
}

std::vector<SpfQuestion> Classifier::spf_questions() {
  if (!spf_.active()) return {};
  stage_.settle(batch_);
  return spf_.questions(batch_);
}

std::unique_ptr<VerdictColumns> Classifier::classify() {
  stage_.settle(batch_);
  if (spf_.active()) spf_.settle(batch_);
  const auto held = kernel_.reading_dns();  // once a batch; the first pass leaves a table that grows alone
  auto out = std::make_unique<VerdictColumns>(batch_.rows, kernel_.spec().compare.size());
  open_words();
  for (std::int64_t first = 0; first < batch_.rows; first += block_size) {
    block_.first = first;
    block_.end = std::min(first + block_size, batch_.rows);
    decode(block_);
    if (spf_.active()) spf_.read(block_);
    prefetch(block_);
    observer_.observe(batch_, block_);
    judge(block_, *out);
  }
  return out;
}

void Classifier::open_words() {
  const Vocabularies& words = vocabularies();
  kinds_.open(batch_.kind, batch_.rows, NumberOf{words.kind});
  directions_.open(batch_.direction, batch_.rows, NumberOf{words.direction});
  statuses_.open(batch_.status, batch_.rows, NumberOf{words.status});
  spfs_.open(batch_.spf, batch_.rows, NumberOf{words.spf});
  dmarcs_.open(batch_.dmarc, batch_.rows, NumberOf{words.dmarc});
  codes_.open(batch_.status_code, batch_.rows, NumberOfCode{kernel_.block_codes()});
}

void Classifier::decode(Block& block) const {
  const Vocabularies& words = vocabularies();
  kinds_.read(batch_.kind, block.first, block.end, block.kind, NumberOf{words.kind});
  directions_.read(batch_.direction, block.first, block.end, block.direction, NumberOf{words.direction});
  statuses_.read(batch_.status, block.first, block.end, block.status, NumberOf{words.status});
  spfs_.read(batch_.spf, block.first, block.end, block.spf, NumberOf{words.spf});
  dmarcs_.read(batch_.dmarc, block.first, block.end, block.dmarc, NumberOf{words.dmarc});
  codes_.read(batch_.status_code, block.first, block.end, block.code, NumberOfCode{kernel_.block_codes()});
  read_bools(batch_.accepted, block, block.accepted);
  read_bools(batch_.spam, block, block.spam);
  read_bools(batch_.forwarded, block, block.forwarded);
  read_bools(batch_.submitted, block, block.submitted);
  read_bools(batch_.joined, block, block.joined);
  read_bools(batch_.sender_from_trace, block, block.trace);
  for (std::int64_t row = block.first; row < block.end; ++row) {
    block.has_time[row - block.first] = batch_.time.read(row, block.time[row - block.first]);
  }
}

/// Fetches what judging the block will read of the memo, DNS included: memory far away is asked for all at once.
void Classifier::prefetch(const Block& block) {
  const std::span rows = std::span(stage_.rows()).subspan(static_cast<std::size_t>(block.first), static_cast<std::size_t>(block.end - block.first));
  for (const StagedRow& row : rows) {
    memo_.prefetch_id(sender_of(row));
    memo_.prefetch_id(row.recipient);
    memo_.prefetch_id(row.header);
  }
  std::array<NameId, block_size> open;
  std::size_t count = 0;
  for (const StagedRow& row : rows) {
    const NameId sender = sender_of(row);
    open[count] = sender;
    count += memo_.dns_open(sender) ? 1 : 0;
  }
  memo_.look_up_dns(std::span(open).first(count));
}

void Classifier::judge(const Block& block, VerdictColumns& out) {
  const KernelSpec& spec = kernel_.spec();
  for (std::int64_t row = block.first; row < block.end; ++row) {
    const std::int64_t at = row - block.first;
    const StagedRow& staged = stage_.rows()[static_cast<std::size_t>(row)];
    const std::uint32_t evidence = evidence_of_row(block, at, staged);
    const std::uint32_t state = evidence & fact_mask;
    const Decision& decision = spec.profiles[kernel_.profile_at(block.has_time[at], block.time[at])].decisions[state];
    const Agreement agreement = agreement_of(decision, block.observed[at], block.observed_from[at]);
    out.evidence[static_cast<std::size_t>(row)] = evidence;
    out.pool[row] = decision.pool;
    out.rule[row] = decision.rule;
    out.candidates[row] = decision.candidates;
    out.observed_pool[row] = block.observed[at];
    out.observed_from[row] = block.observed_from[at];
    out.agreement[row] = agreement;
    out.fix[row] = fix_of(block, at, staged, decision, agreement);
    out.spf_from[row] = spf_from_of(block, at);
    for (std::size_t i = 0; i < spec.compare.size(); ++i) out.compare[i][row] = spec.profiles[spec.compare[i]].decisions[state].pool;
    append_sender(block, at, staged, out);
    if (kernel_.dated() && !block.has_time[at]) ++timeless_;
  }
}

std::uint8_t Classifier::fix_of(const Block& block, std::int64_t at, const StagedRow& staged, const Decision& decision, Agreement agreement) const {
  if (decision.pool == pool_undetermined) return decision.fix;
  if (decision.rule == kernel_.spec().investigate_rule && agreement == agree_mismatch) return kernel_.spec().investigate_fix;
  const std::uint8_t reason = block.code[at] < first_block_code ? no_reason : block_reason(block, at);
  return kernel_.fix(decision.rule, reason, context_of(block, at, staged, decision.rule));
}

/// Only what the rule's fix depends on is looked at.
unsigned Classifier::context_of(const Block& block, std::int64_t at, const StagedRow& staged, std::uint8_t rule) const {
  if (!kernel_.fix_depends(rule, fix_contexts - 1)) return 0;
  const std::uint32_t sender = memo_.facts(sender_of(staged));
  unsigned context = (sender & domain_not_public) != 0 ? context_not_public : 0U;
  if ((sender & domain_own) != 0) context |= context_own;
  if ((sender & domain_own_open) != 0 && kernel_.fix_depends(rule, context_own)) throw std::logic_error("a fix needs an organizational domain that was not asked");
  if (block.forwarded[at] == yes) context |= context_forwarded;
  std::string_view connector;
  if (batch_.connector.read(block.first + at, connector) && !connector.empty()) context |= context_connector;
  if (!kernel_.fix_depends(rule, context_gateway | context_unfiltered)) return context;
  Address client;
  if (!batch_.client_ip.read(block.first + at, client)) return context;
  const std::uint32_t gateway = kernel_.tenant(staged.tenant).gateways.lookup(client, no_time);
  if (gateway == PrefixTable::none) return context;
  return context | context_gateway | (gateway == gateway_unfiltered ? context_unfiltered : 0U);
}

void Classifier::append_sender(const Block& block, std::int64_t at, const StagedRow& staged, VerdictColumns& out) {
  const NameId sender = sender_of(staged);
  const std::int64_t row = block.first + at;
  if (sender < first_name) {
    out.sender_from[row] = no_value;
    out.sender_domain.append_null();
    out.srs_sender.append_null();
    return;
  }
  const bool from_mail = staged.mail == sender && staged.mail >= first_name;
  out.sender_from[row] = !from_mail ? sender_header_from : block.trace[at] == yes ? sender_trace : sender_mail_from;
  out.sender_domain.append_padded(memo_.text(sender));
  std::string_view address;
  const TextColumn& column = from_mail ? batch_.mail_from : batch_.header_from;
  const bool may_be_srs = (staged.marks & (from_mail ? mark_mail_may_be_srs : mark_header_may_be_srs)) != 0;
  if (may_be_srs && column.read(row, address) && srs_original(address, srs_)) {
    out.srs_sender.append(srs_);
  } else {
    out.srs_sender.append_null();
  }
}

}  // namespace poolsift
