"""Colours, markers and dashes that the colour-blind can tell apart."""

# Petroff 2021, https://arxiv.org/abs/2107.02270, table 1 (ten colours).
COLORS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
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
