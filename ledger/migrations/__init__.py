"""The schema of the ledger, step by step: one revision file per change, never edited after release."""
