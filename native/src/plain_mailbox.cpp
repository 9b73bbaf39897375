// Plain addresses as bit masks: bit i of a mask tells something of byte i, and the grammar becomes a few shifts.
#include "poolsift/plain_mailbox.hpp"

#include <cstdint>

#include "poolsift/words.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace poolsift {

#ifdef __SSE2__

namespace {

constexpr std::size_t vector_size = 16;
constexpr std::size_t shortest = 8;

/// Which bytes of a text are what.
struct Masks {
  std::uint64_t names = 0;  ///< letters, digits, `-` and `_`
  std::uint64_t dots = 0;
  std::uint64_t ats = 0;
  std::uint64_t hyphens = 0;
  std::uint64_t equals = 0;
  std::uint64_t pluses = 0;
};

__m128i between(__m128i bytes, char first, char last) noexcept {
  const __m128i distance = _mm_sub_epi8(bytes, _mm_set1_epi8(first));  // wraps round below `first`
  return _mm_cmpeq_epi8(_mm_min_epu8(distance, _mm_set1_epi8(static_cast<char>(last - first))), distance);
}

std::uint64_t bits(__m128i bytes, std::size_t place) noexcept {
  return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(bytes))) << place;
}

/// Sixteen bytes that stand at `place`; gives them in lower case.
__m128i scan(__m128i bytes, std::size_t place, Masks& masks) noexcept {
  const auto is = [&](char wanted) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(wanted)); };
  const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
  const __m128i letter = between(lower, 'a', 'z');
  const __m128i hyphen = is('-');
  const __m128i name = _mm_or_si128(_mm_or_si128(letter, between(bytes, '0', '9')), _mm_or_si128(hyphen, is('_')));
  masks.names |= bits(name, place);
  masks.dots |= bits(is('.'), place);
  masks.ats |= bits(is('@'), place);
  masks.hyphens |= bits(hyphen, place);
  masks.equals |= bits(is('='), place);
  masks.pluses |= bits(is('+'), place);
  return _mm_or_si128(_mm_and_si128(letter, lower), _mm_andnot_si128(letter, bytes));
}

/// Reads nothing outside the text; `folded` is written up to its size or 16 bytes, whichever is more. Bits beyond the text are 0.
Masks scan_text(Bytes text, char* folded) noexcept {
  const std::size_t size = text.size();
  Masks masks;
  const auto store = [&](std::size_t place, __m128i bytes) { _mm_storeu_si128(reinterpret_cast<__m128i*>(folded + place), scan(bytes, place, masks)); };
  if (size < vector_size) {  // 8 to 15: two words, the second without what the first has
    const std::uint64_t rest = size == 8 ? 0 : load_eight(text.data() + size - 8) >> (8 * (vector_size - size));
    store(0, _mm_set_epi64x(static_cast<long long>(rest), static_cast<long long>(load_eight(text.data()))));
    return masks;
  }
  const auto load = [&](std::size_t place) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + place)); };
  for (std::size_t place = 0; place + vector_size <= size; place += vector_size) store(place, load(place));
  if (size % vector_size != 0) store(size - vector_size, load(size - vector_size));  // overlaps: the same bits once more
  return masks;
}

std::uint64_t first_bits(std::size_t count) noexcept { return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1; }

/// Places where a dot, or in a domain a hyphen, may be wrong. `edges`: every `.` and `@`. A pair of hyphens may be that of `xn--`.
/// "a.b@c-d.example": dots 0x402, edges 0x40A; no dot is next to an edge, no hyphen of the domain either: 0.
std::uint64_t doubtful(const Masks& masks, std::uint64_t domain, std::size_t size) noexcept {
  const std::uint64_t edges = masks.dots | masks.ats;
  const std::uint64_t ends = std::uint64_t{1} | std::uint64_t{1} << (size - 1);
  const std::uint64_t beside = edges << 1 | edges >> 1 | ends;
  return (masks.dots & beside) | (domain & masks.hyphens & (beside | masks.hyphens << 1));
}

}  // namespace

bool plain_mailbox(Bytes text, char* folded, PlainMailbox& out) noexcept {
  const std::size_t size = text.size();
  if (size < shortest || size > plain_room) return false;
  const Masks masks = scan_text(text, folded);
  if (masks.ats == 0 || (masks.ats & (masks.ats - 1)) != 0) return false;
  out.at = static_cast<std::size_t>(__builtin_ctzll(masks.ats));
  const std::uint64_t domain = first_bits(size) & ~first_bits(out.at + 1);
  const std::uint64_t only_local = masks.equals | masks.pluses;
  const std::uint64_t strange = first_bits(size) & ~(masks.names | masks.dots | masks.ats | only_local);
  out.has_equals = masks.equals != 0;
  return out.at != 0 && domain != 0 && (strange | (domain & only_local) | doubtful(masks, domain, size)) == 0;
}

bool plain_domain(Bytes text, char* folded) noexcept {
  const std::size_t size = text.size();
  if (size < shortest || size > 63) return false;  // 64 without a dot would be too long a label
  const Masks masks = scan_text(text, folded);
  const std::uint64_t all = first_bits(size);
  return ((all & ~(masks.names | masks.dots)) | doubtful(masks, all, size)) == 0;
}

#else

bool plain_mailbox(Bytes, char*, PlainMailbox&) noexcept { return false; }
bool plain_domain(Bytes, char*) noexcept { return false; }

#endif

}  // namespace poolsift
