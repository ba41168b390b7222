"""Numbers that measure any model with an encoder and a decoder."""
