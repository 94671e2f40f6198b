"""The CUDA kernels: .cu sources over the element mathematics of ../include, compiled when first used.

nvrtc.py   finds NVIDIA's run-time compiler and drives it          cache.py      keeps what it built on disk
build.py   a source and its headers -> a cubin for one GPU type    launching.py  loads and launches through CuPy
overrides.py registers the kernels with the framework            __main__.py    lists registers and spills

Nothing here imports CuPy until a CuPy array arrives; nvrtc, cache and build work without a GPU.
"""
