"""Whether an exported artefact answers as the version in the store does.

Each runner asks through what the artefact itself says of conversations, never through dlm's codec.
"""
