"""The commands `sipsimple send` and `sipsimple receive`; they need the extra `cli`."""
