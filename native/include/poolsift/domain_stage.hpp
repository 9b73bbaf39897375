// First pass over a batch: every address of every row becomes the number of its domain, and DKIM is judged as far as it can be.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "poolsift/domain_memo.hpp"
#include "poolsift/mailbox.hpp"
#include "poolsift/plain_mailbox.hpp"
#include "poolsift/record_batch.hpp"
#include "poolsift/word_reader.hpp"

namespace poolsift {

/// What the local part of an address says about non-delivery reports (the contract's fact 3).
enum LocalPart : std::uint8_t { local_other, local_ndr_sender, local_postmaster };

/// The DKIM fact (a Known), or why it is not settled yet.
enum DkimState : std::uint8_t { dkim_unknown, dkim_no, dkim_yes, dkim_open, dkim_without_domain };

/// Marks of a row, one bit each, but for the two LocalPart fields of two bits.
enum RowMark : std::uint8_t {
  mark_mail_local_shift = 0,
  mark_header_local_shift = 2,
  mark_consumer_tenant = 1 << 4,
  mark_mail_may_be_srs = 1 << 5,
  mark_header_may_be_srs = 1 << 6,
};

struct StagedRow {
  NameId mail = name_missing;
  NameId header = name_missing;
  NameId recipient = name_missing;
  std::uint16_t tenant = 0;
  std::uint8_t marks = 0;
  std::uint8_t dkim = dkim_unknown;
};

/// The address the sender domain comes from: mail_from, or header_from where the reverse-path is null or not recorded.
constexpr NameId sender_of(const StagedRow& row) noexcept {
  return row.mail == name_missing || row.mail == name_null_path ? row.header : row.mail;
}
/// Of dkim_pass: the domain of header_from; of mail_from where header_from is not recorded.
constexpr NameId reference_of(const StagedRow& row) noexcept { return row.header == name_missing ? row.mail : row.header; }

class DomainStage {
 public:
  /// Both outlive the stage.
  DomainStage(const Kernel& kernel, DomainMemo& memo);

  /// Reads the address columns; afterwards memo.questions() are what Python must answer.
  void stage(const RecordBatch& batch);
  /// Takes the answers up. Throws std::invalid_argument if one is missing.
  void settle(const RecordBatch& batch);
  const std::vector<StagedRow>& rows() const noexcept { return rows_; }

 private:
  static constexpr std::int64_t block_rows = 256;
  /// One address of a block between parsing it and looking it up.
  struct Waiting {
    std::uint64_t hash;
    std::uint32_t row;
    std::uint32_t offset;
    std::uint16_t size;
    bool idna;
  };
  /// Where the folded domain of mail_from of a row of the block is; size 0: there is none.
  struct Folded {
    std::uint32_t offset = 0;
    std::uint16_t size = 0;
  };
  /// What a dictionary entry of an address column came to, for one tenant.
  struct Entry {
    NameId id = name_missing;
    std::uint16_t tenant = 0;
    std::uint8_t marks = 0;
    bool done = false;
  };
  /// Which column is staged, and where its numbers and marks go.
  struct Role {
    const TextColumn* column;
    NameId StagedRow::*id;
    bool is_path;            ///< mail_from: an empty text is the null reverse-path
    std::uint8_t local_shift;
    std::uint8_t srs_mark;   ///< 0: marks of this column say nothing
  };

  static bool once_an_entry(const Role& role, const RecordBatch& batch);
  static NameId without_domain(const Role& role, const Mailbox& mailbox) noexcept;
  void stage_tenants(const RecordBatch& batch);
  void stage_plain(const Role& role, std::int64_t first, std::int64_t end);
  void read_address(const Role& role, std::string_view text, StagedRow& staged, std::uint32_t row);
  void take_domain(const Role& role, std::string_view name, std::uint32_t row, bool idna);
  void queue(std::string_view name, std::uint32_t row, bool idna);
  /// Whether a local part of this size may say something about non-delivery reports.
  bool speaks(std::size_t size) const noexcept { return (local_lengths_ >> (size & 63) & 1) != 0; }
  void stage_encoded(const Role& role);
  Entry entry_of(const Role& role, std::int64_t at, std::uint16_t tenant);
  std::uint8_t marks_of(const Role& role, const Mailbox& mailbox) const noexcept;
  void ask_own(const RecordBatch& batch);

  void open_dkim(const RecordBatch& batch);
  void stage_dkim(const RecordBatch& batch, std::int64_t first, std::int64_t end);
  std::uint8_t judge_dkim(std::string_view domains, const StagedRow& row);
  std::uint8_t judge_single(std::string_view domains, const StagedRow& row, NameId reference) const;
  std::uint8_t find_exact(std::string_view domains, const StagedRow& row, NameId reference);
  std::uint8_t compare_items(std::string_view domains, const StagedRow& row, NameId reference);
  bool organizational_known(NameId id);
  NameId intern_item(std::string_view item, std::uint16_t tenant);

  const Kernel& kernel_;
  DomainMemo& memo_;
  std::vector<StagedRow> rows_;
  std::vector<std::int64_t> open_dkim_;  ///< rows whose DKIM waits for an answer
  std::array<Waiting, block_rows> waiting_;
  std::size_t waiting_count_ = 0;
  std::array<Folded, block_rows> mail_domains_;
  std::vector<Entry> entries_;
  std::string folded_;
  std::size_t folded_used_ = 0;
  std::uint64_t local_lengths_;  ///< bit n: a local part that means something is of n bytes (64 counts as 0)
  WordReader dkim_words_;
};

}  // namespace poolsift
