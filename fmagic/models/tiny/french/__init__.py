"""A small parallel grammar of English and French: words, phrases, sentence patterns."""
