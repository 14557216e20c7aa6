"""Colours of the generated pictures."""

Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
PALETTE_SIZE = 32


def colour_of(index: int) -> Colour:
    """One of 32 bright colours; few enough that generated pictures are worth keeping."""
    step = index % PALETTE_SIZE
    return 96 + step * 5, 96 + step * 37 % 160, 96 + step * 71 % 160
