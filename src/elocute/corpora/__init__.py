"""Readers of public corpora; each returns frozen records with the corpus's own scales and names."""
