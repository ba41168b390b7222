"""Network, latent and likelihood together: modules that encode, decode, reconstruct and sample."""
