"""One file per verb. Operations yield events, return a result, and know nothing of IPython."""
