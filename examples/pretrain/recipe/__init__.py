"""The parts that the commands beside this folder are made of; no part of dlm itself."""
