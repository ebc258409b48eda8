"""Addresses that never leave the machine: what settings warn about and what clients reach past any proxy."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
