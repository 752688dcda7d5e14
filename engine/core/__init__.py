"""Pure data and rules: instruments, clocks, events, orders, books, ledger. Imports nothing of ours."""
