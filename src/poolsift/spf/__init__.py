"""SPF (RFC 7208): what a domain's records say of one client address."""
