// First pass: addresses to numbers of domains, a block at a time so that parsing, hashing and looking up overlap.
#include "poolsift/domain_stage.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "poolsift/evidence.hpp"

namespace poolsift {

namespace {

/// A long run stays flat: beyond this many names the memo starts anew with the next batch.
constexpr std::size_t most_names = 1 << 21;
/// The usual size of a block of folded addresses.
constexpr std::size_t block_room = 8192;

std::uint64_t lengths_of(const std::vector<std::string>& words) {
  std::uint64_t lengths = 0;
  for (const std::string& word : words) lengths |= std::uint64_t{1} << (word.size() & 63);
  return lengths;
}

}  // namespace

DomainStage::DomainStage(const Kernel& kernel, DomainMemo& memo)
    : kernel_(kernel), memo_(memo), local_lengths_(lengths_of(kernel.spec().ndr_senders) | lengths_of(kernel.spec().postmasters)) {}

void DomainStage::stage(const RecordBatch& batch) {
  if (memo_.size() > most_names) memo_.clear();
  rows_.assign(static_cast<std::size_t>(batch.rows), StagedRow{});
  open_dkim_.clear();
  stage_tenants(batch);
  const Role roles[] = {
      {&batch.mail_from, &StagedRow::mail, true, mark_mail_local_shift, mark_mail_may_be_srs},
      {&batch.header_from, &StagedRow::header, false, mark_header_local_shift, mark_header_may_be_srs},
      {&batch.recipient, &StagedRow::recipient, false, 0, 0},
  };
  for (const Role& role : roles) {
    if (!role.column->absent() && once_an_entry(role, batch)) stage_encoded(role);
  }
  open_dkim(batch);
  for (std::int64_t first = 0; first < batch.rows; first += block_rows) {
    const std::int64_t end = std::min(first + block_rows, batch.rows);
    mail_domains_.fill({});
    folded_used_ = 0;
    for (const Role& role : roles) {
      if (!role.column->absent() && !once_an_entry(role, batch)) stage_plain(role, first, end);
    }
    if (!batch.dkim.absent()) stage_dkim(batch, first, end);  // while the names of the block are near
  }
  ask_own(batch);
}

/// A dictionary larger than the batch would cost more than it saves.
bool DomainStage::once_an_entry(const Role& role, const RecordBatch& batch) {
  return role.column->entries() > 0 && role.column->entries() <= batch.rows;
}

void DomainStage::stage_tenants(const RecordBatch& batch) {
  std::string_view last;
  TenantAnswer answer = kernel_.tenant_of(last);
  for (std::int64_t row = 0; row < batch.rows; ++row) {
    std::string_view id;
    if (!batch.tenant_id.read(row, id)) id = {};
    if (id != last) {
      answer = kernel_.tenant_of(id);
      last = id;
    }
    StagedRow& staged = rows_[static_cast<std::size_t>(row)];
    staged.tenant = answer.tenant;
    if (answer.consumer) staged.marks |= mark_consumer_tenant;
  }
}

void DomainStage::stage_plain(const Role& role, std::int64_t first, std::int64_t end) {
  waiting_count_ = 0;
  for (std::int64_t row = first; row < end; ++row) {
    std::string_view text;
    if (!role.column->read(row, text) || (text.empty() && !role.is_path)) continue;
    if (folded_.size() < folded_used_ + std::max(text.size(), plain_room)) folded_.resize(folded_used_ + 2 * std::max(text.size(), block_room));
    read_address(role, text, rows_[static_cast<std::size_t>(row)], static_cast<std::uint32_t>(row));
  }
  constexpr std::size_t ahead = 16;  // names to be fetched while one is compared
  for (std::size_t i = 0; i < waiting_count_; ++i) {
    if (i + ahead < waiting_count_) memo_.prefetch_name(waiting_[i + ahead].hash);
    const Waiting& one = waiting_[i];
    StagedRow& staged = rows_[one.row];
    staged.*role.id = memo_.intern(one.hash, {folded_.data() + one.offset, one.size}, staged.tenant, one.idna);
  }
}

/// Folds the domain of an address into the block's buffer and fetches the place where the memo would hold it.
void DomainStage::read_address(const Role& role, std::string_view text, StagedRow& staged, std::uint32_t row) {
  char* folded = folded_.data() + folded_used_;
  PlainMailbox plain;
  if (plain_mailbox(text, folded, plain)) {
    const std::uint8_t srs = plain.has_equals ? role.srs_mark : std::uint8_t{0};
    staged.marks |= speaks(plain.at) ? marks_of(role, parse_mailbox(text)) : srs;
    take_domain(role, {folded + plain.at + 1, text.size() - plain.at - 1}, row, false);
    return;
  }
  const Mailbox mailbox = parse_mailbox(text);
  if (mailbox.domain.empty()) {
    staged.*role.id = without_domain(role, mailbox);
    return;
  }
  staged.marks |= marks_of(role, mailbox);
  fold_text(mailbox.domain, folded);
  take_domain(role, {folded, mailbox.domain.size()}, row, mailbox.kind == MailboxKind::domain_needs_idna);
}

/// The header mostly has the domain of the path, which is near: only another one has to be looked up.
void DomainStage::take_domain(const Role& role, std::string_view name, std::uint32_t row, bool idna) {
  Folded& mail = mail_domains_[row % block_rows];
  StagedRow& staged = rows_[row];
  if (role.id == &StagedRow::header && mail.size == name.size() && same_bytes(folded_.data() + mail.offset, name.data(), name.size())) {
    staged.header = staged.mail;
    return;
  }
  queue(name, row, idna);
  if (role.is_path) mail = {static_cast<std::uint32_t>(name.data() - folded_.data()), static_cast<std::uint16_t>(name.size())};
}

/// `name` lies in the block's buffer, and what comes after it is free.
void DomainStage::queue(std::string_view name, std::uint32_t row, bool idna) {
  const std::uint64_t hash = memo_.hash(name, rows_[row].tenant);
  memo_.prefetch(hash);
  const auto offset = static_cast<std::size_t>(name.data() - folded_.data());
  waiting_[waiting_count_++] = {hash, row, static_cast<std::uint32_t>(offset), static_cast<std::uint16_t>(name.size()), idna};
  folded_used_ = offset + name.size();
}

void DomainStage::stage_encoded(const Role& role) {
  entries_.assign(static_cast<std::size_t>(role.column->entries()), Entry{});
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    const std::int64_t at = role.column->entry(static_cast<std::int64_t>(row));
    if (at < 0) continue;
    Entry& entry = entries_[static_cast<std::size_t>(at)];
    StagedRow& staged = rows_[row];
    if (!entry.done || entry.tenant != staged.tenant) entry = entry_of(role, at, staged.tenant);
    staged.*role.id = entry.id;
    staged.marks |= entry.marks;
  }
}

DomainStage::Entry DomainStage::entry_of(const Role& role, std::int64_t at, std::uint16_t tenant) {
  Entry entry{name_missing, tenant, 0, true};
  std::string_view text;
  if (!role.column->read_entry(at, text) || (text.empty() && !role.is_path)) return entry;
  const Mailbox mailbox = parse_mailbox(text);
  if (mailbox.domain.empty()) {
    entry.id = without_domain(role, mailbox);
    return entry;
  }
  folded_.resize(std::max(folded_.size(), mailbox.domain.size()));
  fold_text(mailbox.domain, folded_.data());
  entry.id = memo_.intern({folded_.data(), mailbox.domain.size()}, tenant, mailbox.kind == MailboxKind::domain_needs_idna);
  entry.marks = marks_of(role, mailbox);
  return entry;
}

/// Only mail_from can be null; elsewhere `<>` is unusable (docs/choices.md 7).
NameId DomainStage::without_domain(const Role& role, const Mailbox& mailbox) noexcept {
  return role.is_path && mailbox.kind == MailboxKind::null_path ? name_null_path : name_unusable;
}

std::uint8_t DomainStage::marks_of(const Role& role, const Mailbox& mailbox) const noexcept {
  if (role.srs_mark == 0) return 0;
  const std::size_t size = mailbox.local.size();
  std::uint8_t marks = std::memchr(mailbox.local.data(), '=', size) == nullptr ? std::uint8_t{0} : role.srs_mark;
  if (!mailbox.quoted && !speaks(size)) return marks;
  const auto is_one_of = [&](const std::vector<std::string>& words) {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return local_part_equals(mailbox, word); });
  };
  unsigned local = local_other;
  if (is_one_of(kernel_.spec().postmasters)) local = local_postmaster;
  if (is_one_of(kernel_.spec().ndr_senders)) local = local_ndr_sender;
  return static_cast<std::uint8_t>(marks | local << role.local_shift);
}

void DomainStage::ask_own(const RecordBatch& batch) {
  if (batch.accepted.absent()) return;  // the memo has asked wherever the name alone decides
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    const std::uint8_t accepted = batch.accepted.read(static_cast<std::int64_t>(row));
    const NameId sender = sender_of(rows_[row]);
    if (accepted == 0 || (memo_.facts(sender) & domain_own_open) == 0) continue;
    if (memo_.own_matters(sender, accepted)) memo_.ask_organizational(sender);
  }
}

void DomainStage::settle(const RecordBatch& batch) {
  if (memo_.unanswered() != 0) throw std::invalid_argument(std::to_string(memo_.unanswered()) + " domain names are not answered yet");
  if (memo_.take_aliased()) {
    for (StagedRow& row : rows_) {
      row.mail = memo_.settled(row.mail);
      row.header = memo_.settled(row.header);
      row.recipient = memo_.settled(row.recipient);
    }
  }
  for (const std::int64_t row : open_dkim_) {
    std::string_view domains;
    if (!batch.dkim_domain.read(row, domains)) domains = {};
    StagedRow& staged = rows_[static_cast<std::size_t>(row)];
    staged.dkim = judge_dkim(domains, staged);
    if (staged.dkim == dkim_open) throw std::logic_error("DKIM is open although every name is answered");
  }
  open_dkim_.clear();
}

}  // namespace poolsift
