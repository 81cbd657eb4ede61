"""hamrepro: a tested reproduction of *Hamiltonian prior to Disentangle Content and Motion in Image Sequences*."""

__version__ = "0.1.0"
