"""What outlives the process: journal, snapshots, recovery."""
