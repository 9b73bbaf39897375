// Finding the columns of a batch by name and opening each as what it is.
#include "poolsift/record_batch.hpp"

#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>

namespace poolsift {

namespace {

/// Columns that verdicts do not depend on: only their types are checked.
enum class Unread : std::uint8_t { text, integer, address };

using Field = std::variant<Unread, TextColumn RecordBatch::*, AddressColumn RecordBatch::*, IntColumn RecordBatch::*, TimeColumn RecordBatch::*,
                           BoolColumn RecordBatch::*>;

const std::unordered_map<std::string_view, Field>& fields() {
  using R = RecordBatch;
  static const std::unordered_map<std::string_view, Field> table{
      {"time", &R::time}, {"tenant_id", &R::tenant_id}, {"message_id", Unread::text}, {"network_message_id", Unread::text},
      {"kind", &R::kind}, {"direction", &R::direction}, {"mail_from", &R::mail_from}, {"header_from", &R::header_from},
      {"recipient", &R::recipient}, {"recipient_count", Unread::integer}, {"client_ip", &R::client_ip}, {"helo", &R::helo},
      {"source_ip", &R::source_ip}, {"outbound_ip", &R::outbound_ip}, {"outbound_host", &R::outbound_host},
      {"outbound_ip_pool_name", &R::outbound_ip_pool_name}, {"sfp", &R::sfp}, {"spf", &R::spf}, {"dkim", &R::dkim}, {"dmarc", &R::dmarc},
      {"dkim_domain", &R::dkim_domain}, {"accepted", &R::accepted}, {"spam", &R::spam}, {"forwarded", &R::forwarded},
      {"submitted", &R::submitted}, {"status", &R::status}, {"status_code", &R::status_code}, {"status_text", &R::status_text},
      {"connector", &R::connector}, {"joined", &R::joined}, {"sender_from_trace", &R::sender_from_trace}};
  return table;
}

void check_unread(const RawColumn& raw, Unread kind) {
  if (kind == Unread::text && !TextColumn::takes(*raw.schema)) wrong_type(raw, "a string");
  if (kind == Unread::integer && !IntColumn::takes(*raw.schema)) wrong_type(raw, "an integer");
  if (kind == Unread::address && !AddressColumn::takes(*raw.schema)) wrong_type(raw, "a string, 4 or 16 bytes of fixed size, or uint32");
}

struct Opener {
  RecordBatch& batch;
  const RawColumn& raw;
  void operator()(Unread kind) const { check_unread(raw, kind); }
  template <typename Column>
  void operator()(Column RecordBatch::*member) const {
    batch.*member = Column(raw);
  }
};

/// The struct array itself: its rows must all be there, as a row that is null as a whole is no record.
std::int64_t checked_struct(const ArrowSchema& schema, const ArrowArray& array) {
  const RawColumn whole{"(record batch)", &schema, &array, 0, array.length};
  if (schema.format == nullptr || std::string_view(schema.format) != "+s" || schema.dictionary != nullptr) wrong_type(whole, "struct");
  const std::int64_t first = checked_first(whole, 1, schema.n_children);
  if (schema.n_children > 0 && schema.children == nullptr) broken_column(whole, "the list of fields is missing");
  if (array.length > most_rows) {
    broken_column(whole, "found " + std::to_string(array.length) + " rows, expected at most " + std::to_string(most_rows) + ": split the batch");
  }
  const Validity validity(array.buffers[0], first);
  for (std::int64_t row = 0; !validity.all() && row < array.length; ++row) {
    if (!validity.at(row)) broken_row(whole, row, "the row is null as a whole");
  }
  return array.offset;
}

}  // namespace

RecordBatch open_batch(const ArrowSchema& schema, const ArrowArray& array, bool arrival) {
  if (schema.release == nullptr || array.release == nullptr) throw std::invalid_argument("the record batch is released");
  RecordBatch batch;
  const std::int64_t first = checked_struct(schema, array);
  batch.rows = array.length;
  std::unordered_set<std::string_view> seen;
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema* field = schema.children[i];
    if (field == nullptr || array.children[i] == nullptr) throw std::invalid_argument("field " + std::to_string(i) + " of the record batch is missing");
    const std::string_view name = field->name == nullptr ? std::string_view() : std::string_view(field->name);
    const auto known = fields().find(name);
    if (known == fields().end()) continue;
    const RawColumn raw{name, field, array.children[i], first, batch.rows};
    if (!seen.insert(name).second) broken_column(raw, "the batch has two columns of this name");
    const Field unread = name == "helo" ? Unread::text : Unread::address;
    const bool passed_over = !arrival && (name == "helo" || name == "source_ip");
    std::visit(Opener{batch, raw}, passed_over ? unread : known->second);
  }
  return batch;
}

}  // namespace poolsift
