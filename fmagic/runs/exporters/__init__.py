"""Records as files of other programs, one module for each."""
