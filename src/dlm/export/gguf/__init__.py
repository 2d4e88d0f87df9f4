"""GGUF files for llama.cpp and what is built on it, written with the package `gguf`."""
