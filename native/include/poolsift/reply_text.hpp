// reply_text.hpp: the addresses and phrases in a status text that quotes a remote server's reply.
#pragma once

#include <cstddef>

#include "poolsift/address.hpp"
#include "poolsift/bytes.hpp"

namespace poolsift {

/// Finds the next address inside the remote's reply. `cursor` is 0 at first and opaque afterwards; false at the end, again and again.
/// The whole walk takes linear time.
///
/// The reply is what stands in `{LED=…}` and `{MSG=…}`, each up to the next `}`; where the text has neither, the whole text up to the
/// first `OutboundProxyTarget`. Inside, `[LastAttemptedIP=…]`, `[LastAttemptedServerName=…]`, `{IP=…}` and `{FQDN=…}` are skipped (unclosed: to the
/// end of the reply), as they name the servers that were tried. An address is a longest run of hex digits, `.` and `:`, with no
/// ASCII letter, digit, `_` or `-` on either side, that parses after one trailing `.` or `:` is dropped.
bool next_reply_address(Bytes text, std::size_t& cursor, Address& out) noexcept;

/// Does the text hold the phrase (given in lower case), ASCII case ignored? An empty phrase is in every text.
bool contains_ignoring_case(Bytes text, Bytes lower_case_phrase) noexcept;

}  // namespace poolsift
