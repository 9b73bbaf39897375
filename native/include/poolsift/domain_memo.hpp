// What one run or thread has learned about domain names. Not thread-safe; results never depend on what it holds already.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "poolsift/kernel.hpp"
#include "poolsift/keyed_hash.hpp"

namespace poolsift {

/// The number of a name in the memo. Two names of one tenant have the same number exactly if their canonical forms are equal.
using NameId = std::uint32_t;
inline constexpr NameId name_missing = 0;    ///< nothing recorded
inline constexpr NameId name_unusable = 1;   ///< recorded, but no address
inline constexpr NameId name_null_path = 2;  ///< the null reverse-path
inline constexpr NameId first_name = 3;

/// Bytes that can be read from the first of any name on, so that short names can be copied in whole vectors.
inline constexpr std::size_t text_readable = 32;

/// What only Python knows, as bits.
enum Need : std::uint8_t { need_idna = 1, need_organizational = 2 };

/// What Python is asked about a name: its text, canonical unless IDNA is asked.
struct Question {
  NameId id;
  std::uint8_t need;
  std::string text;
};

class DomainMemo {
 public:
  /// The kernel outlives the memo.
  explicit DomainMemo(const Kernel& kernel);

  /// The number of a name; `folded` is lower case. With `idna`, its canonical form is asked of Python.
  NameId intern(std::string_view folded, std::uint16_t tenant, bool idna) { return intern(hash(folded, tenant), folded, tenant, idna); }
  NameId intern(std::uint64_t hash, std::string_view folded, std::uint16_t tenant, bool idna);
  std::uint64_t hash(std::string_view folded, std::uint16_t tenant) const noexcept { return key_(folded) ^ tenant * 0x9E3779B97F4A7C15ULL; }
  /// Brings the place where a name of this hash would be nearer.
  void prefetch(std::uint64_t hash) const noexcept { __builtin_prefetch(&slots_[hash & mask_]); }
  /// Brings the name nearer that is compared first, once its slot is near: the first whose tag is right.
  void prefetch_name(std::uint64_t hash) const noexcept {
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    std::uint64_t at = hash & mask_;
    while (slots_[at].id != name_missing && slots_[at].tag != tag) at = (at + 1) & mask_;
    prefetch_id(slots_[at].id);
  }
  void prefetch_id(NameId id) const noexcept { __builtin_prefetch(&names_[id]); }

  /// Looks at DNS until it says something of the name; before it the bits of DNS in facts() say nothing. Needs Kernel::reading_dns().
  void look_up_dns(NameId id) noexcept {
    Name& name = names_[id];
    if ((name.facts & domain_dns_open) != 0) name.facts = kernel_.with_dns(name.facts, text(id));
  }
  bool dns_open(NameId id) const noexcept { return (facts(id) & domain_dns_open) != 0; }
  /// The same for many names, whose answers are fetched from memory all at once.
  void look_up_dns(std::span<const NameId> ids) noexcept;
  /// DomainFact bits; 0 for the three that are no names.
  std::uint32_t facts(NameId id) const noexcept { return names_[id].facts; }
  /// The canonical form; of a name that waits for IDNA, what was logged, folded. Valid until the next intern().
  /// At least text_readable bytes can be read from its first on.
  std::string_view text(NameId id) const noexcept { return text_of(names_[id]); }
  /// The number under which the organizational domain is known, or name_missing while nobody has asked.
  NameId organizational(NameId id) const noexcept { return names_[id].organizational; }
  void ask_organizational(NameId id) { needs_[id] |= need_organizational; }
  /// Whether a record with this sender, accepted or not (a Known), can come to a fix that asks for the organizational domain.
  bool own_matters(NameId id, std::uint32_t accepted) noexcept;

  /// The names that wait for an answer, first to last.
  std::vector<Question> questions() const;
  std::size_t unanswered() const noexcept { return needs_.size(); }
  /// An answer: `canonical` counts where IDNA was asked (empty: refused), `organizational` where that was.
  /// Throws std::invalid_argument for a name that nobody asked about, or an answer that is missing.
  void fill(NameId id, std::string_view canonical, std::string_view organizational);
  /// The number of a name after it was answered: that of its canonical form.
  NameId settled(NameId id) const noexcept { return (names_[id].facts & domain_alias) != 0 ? names_[id].organizational : id; }
  /// Whether names became aliases since the last call.
  bool take_aliased() noexcept { return std::exchange(aliased_, false); }

  std::size_t size() const noexcept { return names_.size() - first_name; }
  /// Forgets everything, so that a long run does not grow without bound.
  void clear();
  /// How often it has forgotten: numbers of names from before mean something else.
  std::uint32_t generation() const noexcept { return generation_; }

 private:
  static constexpr std::size_t near_size = 48;  ///< longest text that a name holds itself
  /// 64 bytes, so that all that is known of a name comes with one line of memory.
  struct alignas(64) Name {
    std::uint32_t facts = 0;
    NameId organizational = name_missing;  ///< of an alias: the name it stands for
    std::uint32_t offset = 0;              ///< of a longer text, in the arena
    std::uint16_t size = 0;
    std::uint16_t tenant = 0;
    char near[near_size] = {};
  };
  struct Slot {
    std::uint32_t tag = 0;     ///< upper half of the hash
    NameId id = name_missing;  ///< name_missing: free
  };

  std::string_view text_of(const Name& name) const noexcept { return {name.size <= near_size ? name.near : arena_.data() + name.offset, name.size}; }
  Slot& find(std::uint64_t hash, std::string_view folded, std::uint16_t tenant) noexcept;
  NameId add(Slot& slot, std::uint64_t hash, std::string_view folded, std::uint16_t tenant, bool idna);
  bool own_may_matter(NameId id) noexcept;
  void grow();
  void set_organizational(NameId id, std::string_view organizational);

  const Kernel& kernel_;
  HashKey key_;
  std::vector<Slot> slots_;  ///< a power of two, at most five eighths full
  std::uint64_t mask_ = 0;
  std::vector<Name> names_;
  std::string arena_;  ///< longer texts
  std::unordered_map<NameId, std::uint8_t> needs_;
  std::uint32_t generation_ = 0;
  bool aliased_ = false;
};

}  // namespace poolsift
