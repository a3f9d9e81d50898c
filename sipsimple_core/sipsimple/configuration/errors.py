"""Errors of the Configuration API."""

from __future__ import annotations


class ConfigurationError(Exception):
    """The configuration can't be loaded, saved or used in the state that it is in."""


class ObjectNotFoundError(ConfigurationError):
    """Nothing is stored under that key."""
