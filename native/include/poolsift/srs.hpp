// srs.hpp: the original sender inside an address of the Sender Rewriting Scheme.
#pragma once

#include <string>

#include "poolsift/bytes.hpp"

namespace poolsift {

/// Forms, tags and stamps in any case; `hash` is any text without `=`, `ts` two base32 characters; both stay unverified:
///     mailbox+SRS=hash=ts=domain=user@…     Exchange Online; holds user@domain
///     bounces+SRS=hash=ts@…                 Exchange Online where the first would be too long; holds nobody
///     SRS0=hash=ts=domain=user@…            SRS; also with + or - after SRS0
///     SRS1=hash=host==hash=ts=domain=user@… SRS of an SRS0 address; the second = of == may be + or -
/// The local part must be a Dot-string; an address that is not usable is not SRS. What begins with SRS0 or SRS1 is read as that, as
/// what is inside belongs to an earlier rewriting.

/// Puts `user@domain`, as written, into `original`. False, and `original` empty, when the address is not SRS, holds nobody, or what it
/// holds is not a usable address with a domain. What is held may be an SRS address again: one layer is taken off.
bool srs_original(Bytes address, std::string& original);

/// Has the address one of the forms, whomever it holds?
bool is_srs(Bytes address) noexcept;

}  // namespace poolsift
