"""The experiment log: what a run was, where it is written, and how it is found again."""
