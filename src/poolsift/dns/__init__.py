"""What is known about DNS names: answers, snapshots, and (live) resolvers."""
