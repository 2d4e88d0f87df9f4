"""What answers over the network: thin handlers in front of the store and the loops."""
