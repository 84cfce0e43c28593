"""The user's secrets on this machine: what they are, where they lie, and how they get there. Values are never shown."""

from containerid.keychain.store import Entry, Keychain

__all__ = ["Entry", "Keychain"]
