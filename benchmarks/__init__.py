"""Speed beside what people would write instead, measured in one interleaved run."""
