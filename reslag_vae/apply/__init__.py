"""Trained models on a user's own pictures: codes, reconstructions, scores, neighbours, samples."""
