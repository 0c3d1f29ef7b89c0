"""Mispronunciation detection by retrieval: each phone is called what its nearest neighbours among known phones are.

Source: "PER-MDD" (arXiv 2511.20107): embeddings of annotated phones in an index, ten nearest neighbours by cosine,
those of at least .7 vote, and where none is that near nothing is heard.
Deviates: frames are pooled by the occupancies of the CTC lattice, where the paper takes the frame in the middle of an
aligner's phone; `pooling="peak"` takes the frame that is most surely the phone's, which comes near to that.
"""
