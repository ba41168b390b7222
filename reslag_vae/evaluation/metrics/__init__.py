"""Numbers of any model with an encoder and a decoder."""
