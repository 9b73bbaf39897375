// Fact 7, dkim_pass: which of the domains that signed agrees with the domain the reader sees (docs/choices.md 15).
#include <algorithm>
#include <string>

#include "poolsift/domain_stage.hpp"

namespace poolsift {

namespace {

constexpr std::uint8_t open_word = 0xFF;
/// The fact of each DKIM word (DkimWord); `pass` depends on who signed.
constexpr std::uint8_t fact_of_word[] = {dkim_unknown, open_word, dkim_no, dkim_no, dkim_no, dkim_no, dkim_no, dkim_unknown, dkim_unknown};

/// The next item of a list joined by commas, spaces trimmed, empty items dropped. False at the end.
bool next_item(std::string_view& list, std::string_view& item) noexcept {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    item = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (!item.empty()) return true;
  }
  return false;
}

/// Whether two different names end in the same two labels. Only then can they share an organizational domain: what they share is no
/// public suffix, since such a name shares itself with no other, and so has a label before a suffix: two at least.
/// "mail.example.com" and "example.com" do; "a.example.com" and "b.example.net" do not.
bool share_two_labels(std::string_view one, std::string_view other) noexcept {
  const std::size_t last = one.rfind('.');
  if (last == std::string_view::npos || last == 0) return false;
  const std::size_t before = one.rfind('.', last - 1);
  const std::string_view tail = before == std::string_view::npos ? one : one.substr(before + 1);
  return other.ends_with(tail) && (other.size() == tail.size() || other[other.size() - tail.size() - 1] == '.');
}

std::uint8_t dkim_number(std::string_view text) noexcept { return vocabularies().dkim.lookup(text); }

bool is_reference(std::uint32_t facts) noexcept { return (facts & domain_usable) != 0 && (facts & domain_literal) == 0; }

}  // namespace

void DomainStage::open_dkim(const RecordBatch& batch) { dkim_words_.open(batch.dkim, batch.rows, dkim_number); }

void DomainStage::stage_dkim(const RecordBatch& batch, std::int64_t first, std::int64_t end) {
  std::uint8_t codes[block_rows];
  for (std::int64_t row = first; row < end; ++row) memo_.prefetch_id(reference_of(rows_[static_cast<std::size_t>(row)]));
  dkim_words_.read(batch.dkim, first, end, codes, dkim_number);
  for (std::int64_t row = first; row < end; ++row) {
    StagedRow& staged = rows_[static_cast<std::size_t>(row)];
    staged.dkim = fact_of_word[codes[row - first]];
    if (staged.dkim != open_word) continue;
    std::string_view domains;
    const bool recorded = batch.dkim_domain.read(row, domains) && !domains.empty();
    staged.dkim = recorded ? judge_dkim(domains, staged) : std::uint8_t{dkim_without_domain};
    if (staged.dkim == dkim_open) open_dkim_.push_back(row);
  }
}

/// `pass` with these domains, which are recorded.
std::uint8_t DomainStage::judge_dkim(std::string_view domains, const StagedRow& row) {
  const NameId reference = reference_of(row);
  if (is_reference(memo_.facts(reference)) && folds_to(domains, memo_.text(reference))) return dkim_yes;  // one item, the usual case
  std::string_view rest = domains;
  std::string_view item;
  if (!next_item(rest, item)) return dkim_without_domain;
  const std::uint32_t facts = memo_.facts(reference);
  if (!is_reference(facts) && (facts & domain_unanswered) == 0) return dkim_unknown;
  const std::uint8_t single = judge_single(domains, row, reference);
  if (single != dkim_open) return single;
  const std::uint8_t exact = find_exact(domains, row, reference);
  if (exact != dkim_open) return exact;
  return compare_items(domains, row, reference);
}

/// The usual disagreement: one ASCII name that is neither the reference nor near it. Open where more must be looked at.
std::uint8_t DomainStage::judge_single(std::string_view domains, const StagedRow& row, NameId reference) const {
  Bytes domain;
  char folded[256];
  if ((memo_.facts(reference) & domain_unanswered) != 0) return dkim_open;
  std::size_t size = domains.size();
  if (!plain_domain(domains, folded)) {
    if (check_domain(domains, domain) != MailboxKind::domain) return dkim_open;
    fold_text(domain, folded);
    size = domain.size();
  }
  const std::string_view name(folded, size);
  if (share_two_labels(name, memo_.text(reference)) || name == memo_.text(reference)) return dkim_open;
  const std::uint32_t mail = memo_.facts(row.mail);
  if ((mail & domain_unanswered) != 0) return dkim_open;
  return (mail & domain_usable) != 0 && name == memo_.text(row.mail) ? dkim_unknown : dkim_no;
}

/// Yes if an item is the reference; unknown if none is but one is unusable; else open.
std::uint8_t DomainStage::find_exact(std::string_view domains, const StagedRow& row, NameId reference) {
  bool unusable = false;
  bool waits = (memo_.facts(reference) & domain_unanswered) != 0;
  std::string_view item;
  for (std::string_view rest = domains; next_item(rest, item);) {
    const NameId id = intern_item(item, row.tenant);
    if (id == reference && !waits) return dkim_yes;
    unusable |= id == name_unusable;
    waits |= (memo_.facts(id) & domain_unanswered) != 0;
  }
  return unusable && !waits ? dkim_unknown : dkim_open;
}

/// Unknown if an item is the domain of mail_from or shares an organizational domain with the reference; else no; open while Python has not
/// said what is needed. Everything that may be needed is asked at once.
std::uint8_t DomainStage::compare_items(std::string_view domains, const StagedRow& row, NameId reference) {
  bool open = (memo_.facts(reference) & domain_unanswered) != 0;
  std::string_view item;
  for (std::string_view rest = domains; next_item(rest, item);) open |= (memo_.facts(intern_item(item, row.tenant)) & domain_unanswered) != 0;
  bool related = false;
  for (std::string_view rest = domains; next_item(rest, item);) {
    const NameId id = intern_item(item, row.tenant);
    if (id == name_unusable) continue;  // only while open: find_exact has answered otherwise
    related |= id == row.mail;
    if (!open && !share_two_labels(memo_.text(id), memo_.text(reference))) continue;
    const bool item_known = organizational_known(id);
    const bool reference_known = organizational_known(reference);
    if (!item_known || !reference_known) open = true;
    else related |= memo_.organizational(id) == memo_.organizational(reference);
  }
  if (open) return dkim_open;
  return related ? dkim_unknown : dkim_no;
}

/// Asks unless it is known or asked already.
bool DomainStage::organizational_known(NameId id) {
  const bool known = memo_.organizational(id) != name_missing;
  if (!known) memo_.ask_organizational(id);
  return known;
}

/// The number of a domain that signed; name_unusable where it is outside the grammar.
NameId DomainStage::intern_item(std::string_view item, std::uint16_t tenant) {
  Bytes domain;
  const MailboxKind kind = check_domain(item, domain);
  if (kind == MailboxKind::unusable) return name_unusable;
  char folded[256];
  fold_text(domain, folded);
  return memo_.intern({folded, domain.size()}, tenant, kind == MailboxKind::domain_needs_idna);
}

}  // namespace poolsift
