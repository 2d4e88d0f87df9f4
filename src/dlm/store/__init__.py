"""What is derived from a document or in flight: adapter versions, runs, locks. Knows no models.

Nothing is imported here, so that `dlm.store.paths` and `dlm.store.manifest` stay light for editors.
"""
