"""Timings, never asserted: `make bench`. Each figure is a median; what it covers is printed."""
