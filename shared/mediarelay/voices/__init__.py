"""The voice book: names of ours for voices, and which voice of each provider speaks for a name.

`voices.json` here has the names with their kind. The `voices.json` in a vendor's folder lists that vendor's own voices:
which of them plays which name, which is its default, what languages it speaks, and when it ends. An operator adds
voices in the field VOICES of the keys' secret, which is read anew with the keys.
"""
