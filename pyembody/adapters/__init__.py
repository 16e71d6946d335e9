"""Reward programs in other people's environments. Each module needs only the library that it is for."""
