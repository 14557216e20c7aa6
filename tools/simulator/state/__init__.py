"""What a running simulator knows: accounts and their limits, faults, jobs, statistics, latencies."""
