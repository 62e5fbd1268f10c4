"""The reference engine: tapes run on numpy, one sample or a batch."""
