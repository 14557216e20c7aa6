"""Colours of the generated pictures."""

Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
PALETTE_SIZE = 32


def colour_of(index: int) -> Colour:
    """One of 32 bright colours; few enough that generated pictures are worth keeping."""
    step = index % PALETTE_SIZE
    return 96 + step * 5, 96 + step * 37 % 160, 96 + step * 71 % 160


def to_ycbcr(colour: Colour) -> Colour:
    """The same colour as JPEG stores it (BT.601, full range)."""
    red, green, blue = colour
    luma = round(0.299 * red + 0.587 * green + 0.114 * blue)
    blueness = round(128 - 0.168736 * red - 0.331264 * green + 0.5 * blue)
    redness = round(128 + 0.5 * red - 0.418688 * green - 0.081312 * blue)
    return luma, min(255, blueness), min(255, redness)
