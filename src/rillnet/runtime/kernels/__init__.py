"""Kernels for many small blocks at once: sources gathered by number, generated in C++ where there is a compiler."""
