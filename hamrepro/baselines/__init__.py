"""The models HALO is compared with, written from their papers, on the preset's own encoder and decoder.

Losses are in nats per clip, the emission is N(mean, I) on pixels in [-1, 1] as in Deviation D8. The published
codes add the sum of squares on [0, 1] without the half: their reconstruction weighs half of ours against the KL.
"""
