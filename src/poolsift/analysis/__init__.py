"""What a whole run says: counts by pool, rule and domain, and what to do about them."""
