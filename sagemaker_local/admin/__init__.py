"""What tests of any project may switch while the server runs: faults, quotas, and the count of calls."""
