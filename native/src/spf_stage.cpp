// SPF of the rows that record none (the contract's section 2, *SPF*): choosing, asking, taking up.
#include "poolsift/spf_stage.hpp"

#include <algorithm>

namespace poolsift {

namespace {

struct NumberOfSpf {
  std::uint8_t operator()(std::string_view text) const noexcept { return vocabularies().spf.lookup(text); }
};

constexpr NameId helo_is_literal = name_null_path;  // no name stands for the null reverse-path here

/// RFC 7208 section 4.3: there is no record to look for.
bool is_never_published(std::uint32_t facts, std::string_view name) noexcept {
  return (facts & domain_literal) != 0 || name.find('.') == std::string_view::npos;
}

/// A HELO name in brackets is a literal by the same grammar as in an address.
bool is_literal(std::string_view helo) {
  return helo.starts_with('[') && helo.ends_with(']') && parse_mailbox("x@" + std::string(helo)).kind == MailboxKind::literal;
}

}  // namespace

/// docs/choices.md 28: the longest prefix decides which gateway.
Arrival arrival_of(const Kernel& kernel, const RecordBatch& batch, std::int64_t row, std::uint16_t tenant) noexcept {
  Arrival arrival{{}, false};
  if (!batch.client_ip.read(row, arrival.address)) return {{}, false};
  const std::uint32_t gateway = kernel.tenant(tenant).gateways.lookup(arrival.address, no_time);
  arrival.newly_filtered = gateway == gateway_newly_filtered;
  const bool filtered = gateway == gateway_filtered || arrival.newly_filtered;
  if (filtered && !batch.source_ip.read(row, arrival.address)) arrival.address = {};
  return arrival;
}

/// Collects what is asked, each question once.
class SpfStage::Inquiry {
 public:
  std::vector<SpfQuestion> questions;

  void program(std::uint8_t family, std::string_view name) {
    if (is_new({'p', static_cast<char>(family)}, name)) questions.push_back({false, family, std::string(name), {}, {}, {}});
  }
  /// `key` tells outcomes of one name apart.
  void outcome(std::string_view name, const Address& client, std::string_view helo, std::string_view local, std::string_view key) {
    if (is_new("o", key)) questions.push_back({true, client.family, std::string(name), client, std::string(helo), std::string(local)});
  }

 private:
  bool is_new(std::string kind, std::string_view key) {
    const std::uint32_t before = seen_.size();
    seen_.add(kind.append(key));
    return seen_.size() != before;
  }
  TextIndex seen_;
};

SpfStage::SpfStage(const Kernel& kernel, DomainMemo& memo) : kernel_(kernel), memo_(memo), table_(kernel.spec().spf) {
  const std::vector<Tenant>& tenants = kernel.spec().tenants;
  active_ = table_ != nullptr || std::any_of(tenants.begin(), tenants.end(), [](const Tenant& tenant) { return tenant.newly_filtered; });
}

void SpfStage::stage(const RecordBatch& batch, const std::vector<StagedRow>& rows) {
  if (table_ != nullptr) table_->trim();
  words_.assign(rows.size(), 0);
  open_.clear();
  names_settled_ = false;
  spfs_.open(batch.spf, batch.rows, NumberOfSpf{});
  std::uint8_t recorded[block_size];
  for (std::int64_t first = 0; first < batch.rows; first += block_size) {
    const std::int64_t end = std::min(first + block_size, batch.rows);
    spfs_.read(batch.spf, first, end, recorded, NumberOfSpf{});
    for (std::int64_t row = first; row < end; ++row) {
      const StagedRow& staged = rows[static_cast<std::size_t>(row)];
      const bool has_spf = recorded[row - first] != spf_missing;
      if (!has_spf || kernel_.tenant(staged.tenant).newly_filtered) choose(batch, row, staged, has_spf);
    }
  }
}

/// Whether a row is evaluated, and for what; it then waits in open_, unless nothing has to be looked up.
void SpfStage::choose(const RecordBatch& batch, std::int64_t row, const StagedRow& staged, bool recorded) {
  const Arrival arrival = arrival_of(kernel_, batch, row, staged.tenant);
  if (recorded && !arrival.newly_filtered) return;
  std::uint8_t& word = words_[static_cast<std::size_t>(row)];
  if (recorded) word = spf_replaced;
  const bool null_path = staged.mail == name_null_path;
  if (table_ == nullptr || arrival.address.family == 0 || (!null_path && staged.mail < first_name) || kernel_.spf_excludes(arrival.address)) return;
  const NameId name = null_path ? name_of_helo(batch, row, staged.tenant) : staged.mail;
  if (name == helo_is_literal) word |= spf_none;
  if (name >= first_name) open_.push_back({static_cast<std::uint32_t>(row), name, arrival.address, null_path});
}

/// The name that a HELO is; name_missing where none is recorded, name_unusable for what is no name.
NameId SpfStage::name_of_helo(const RecordBatch& batch, std::int64_t row, std::uint16_t tenant) {
  std::string_view text;
  if (!batch.helo.read(row, text) || text.empty()) return name_missing;
  Bytes domain;
  const MailboxKind kind = check_domain(text, domain);
  if (kind == MailboxKind::unusable) return is_literal(text) ? helo_is_literal : name_unusable;
  helo_.resize(domain.size());
  fold_ascii(domain, helo_.data());
  return memo_.intern(helo_, tenant, kind == MailboxKind::domain_needs_idna);
}

/// Names that IDNA refused are unusable; those without a record of their own have their result.
void SpfStage::settle_names() {
  if (names_settled_) return;
  std::size_t kept = 0;
  for (Open& one : open_) {
    one.name = memo_.settled(one.name);
    if (one.name < first_name) continue;
    if (is_never_published(memo_.facts(one.name), memo_.text(one.name))) {
      words_[one.row] |= spf_none;
    } else {
      open_[kept++] = one;
    }
  }
  open_.resize(kept);
  names_settled_ = true;
}

std::vector<SpfQuestion> SpfStage::questions(const RecordBatch& batch) {
  Inquiry inquiry;
  look_up(batch, &inquiry);
  return std::move(inquiry.questions);
}

void SpfStage::settle(const RecordBatch& batch) {
  look_up(batch, nullptr);
  open_.clear();
}

void SpfStage::look_up(const RecordBatch& batch, Inquiry* inquiry) {
  settle_names();
  if (open_.empty()) return;
  constexpr std::size_t ahead = 32;  // programs to be fetched from memory at once
  std::array<std::uint32_t, ahead> statements;
  const auto held = table_->reading();
  renew_cache();
  std::size_t kept = 0;
  for (std::size_t first = 0; first < open_.size(); first += ahead) {
    const std::size_t count = std::min(ahead, open_.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      statements[i] = statement_of(open_[first + i]);
      table_->prefetch(statements[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Open one = open_[first + i];
      const std::uint8_t word = word_of(batch, one, statements[i], inquiry);
      if (word == SpfTable::no_word) open_[kept++] = one;
      else words_[one.row] |= word;
    }
  }
  open_.resize(kept);
}

/// Needs the table's reading().
void SpfStage::renew_cache() {
  if (cache_epoch_ != table_->epoch() || cache_generation_ != memo_.generation()) cache_.clear();
  cache_epoch_ = table_->epoch();
  cache_generation_ = memo_.generation();
  cache_.resize(std::max(cache_.size(), memo_.size() + first_name));
}

std::uint32_t SpfStage::statement_of(const Open& one) noexcept {
  std::uint32_t& statement = cache_[one.name][one.client.family == 6];
  if (statement == SpfTable::nothing) statement = table_->statement(memo_.text(one.name), one.client.family);
  return statement;
}

/// The row's word, or no_word, which is asked about.
std::uint8_t SpfStage::word_of(const RecordBatch& batch, const Open& one, std::uint32_t statement, Inquiry* inquiry) {
  if (statement >= SpfTable::first_program) return table_->word(statement, one.client);
  const std::string_view name = memo_.text(one.name);
  if (statement == SpfTable::nothing) {
    if (inquiry != nullptr) inquiry->program(one.client.family, name);
    return SpfTable::no_word;
  }
  char room[longest_helo];
  std::string_view helo, local, address;
  if (one.null_path) helo = name;
  else if (batch.helo.read(one.row, helo)) helo = usable_helo(helo, room);
  else helo = {};
  if (statement == SpfTable::uncompiled_with_local) {
    local = "postmaster";  // RFC 7208 section 2.4
    if (!one.null_path && batch.mail_from.read(one.row, address)) local = parse_mailbox(address).local;
  }
  const std::uint8_t word = table_->outcome(name, one.client, helo, local, key_);
  if (word == SpfTable::no_word && inquiry != nullptr) inquiry->outcome(name, one.client, helo, local, key_);
  return word;
}

void SpfStage::read(Block& block) const {
  std::copy(words_.begin() + block.first, words_.begin() + block.end, block.spf_evaluated);
}

}  // namespace poolsift
