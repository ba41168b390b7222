"""A trained model to look at: its codes as a map, sliders, paths, sums and samples."""
