"""The machine: facts in, wishes out, deterministic and pure."""
