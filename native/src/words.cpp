// Building tables of short words, and those of the record's word columns.
#include "poolsift/words.hpp"

#include <stdexcept>
#include <string>

#include "poolsift/word_reader.hpp"

namespace poolsift {

WordTable::WordTable(std::initializer_list<std::string_view> words) {
  std::uint8_t number = 0;
  for (const std::string_view word : words) add(word, ++number);
}

void WordTable::add(std::string_view word, std::uint8_t number) {
  if (word.empty() || word.size() > max_size) throw std::invalid_argument("word '" + std::string(word) + "' is not of 1 to 16 bytes");
  if (number == 0) throw std::invalid_argument("0 means that a word is not in the table");
  if (lookup(word) != 0) throw std::invalid_argument("word '" + std::string(word) + "' stands twice in the table");
  if (++count_ > slots_.size() / 2) throw std::invalid_argument("too many words for one table");
  Slot slot = slot_of(word);
  slot.number = number;
  unsigned at = place_of(slot);
  while (slots_[at].size != 0) at = (at + 1) % slots_.size();
  slots_[at] = slot;
}

const Vocabularies& vocabularies() {
  static const Vocabularies tables;
  return tables;
}

}  // namespace poolsift
