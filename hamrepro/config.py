"""Settings: frozen dataclasses and the table of presets. Paper: Appendix A.3.2."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the networks of Tables 3, 4, 5. The defaults are the paper's on Sprites.

    Attributes:
        encoder_widths: channels of the five convolutions.
        decoder_widths: channels at the start (4x4 with five entries, 8x8 with four), then of each
            stride-2 transposed convolution; the last, to 3 channels, is implied.
        hidden: sizes of the two inner linear layers; the decoder's first is hidden[0].
        features: h. content: |Z|. actions: K. half_dimension: d.
        family, start: see `HamiltonianOperators`.
    """

    encoder_widths: tuple[int, ...] = (256,) * 5
    decoder_widths: tuple[int, ...] = (256,) * 5
    hidden: tuple[int, int] = (4096, 2048)
    features: int = 2048
    content: int = 256
    actions: int = 3
    half_dimension: int = 6
    family: str = "sp"
    start: str = "oscillators"
