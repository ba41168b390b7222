"""Colours, markers and dashes that the colour-blind can tell apart."""

# Ten colours, for white paper, that lie as far apart as ten can: the two nearest by 0.22 in OKLab,
# and in the mean of that and of what the red- and green-blind see.
COLORS = (
    "#002cf5",
    "#f57750",
    "#008800",
    "#aa00ad",
    "#17b5c0",
    "#b40000",
    "#78db03",
    "#13007a",
    "#f56ef5",
    "#262a00",
)
MARKERS = "osD^vPX<>*"
DASHES = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1)),
    (0, (3, 1, 1, 1)),
    (0, (1, 1)),
    (0, (8, 3)),
    (0, (6, 2, 1, 2)),
    (0, (2, 2)),
)
