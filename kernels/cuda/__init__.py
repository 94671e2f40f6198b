"""The CUDA kernels: .cu sources over the element mathematics of ../include, compiled when first used.

nvrtc.py   finds NVIDIA's run-time compiler and drives it          cache.py      keeps what it built on disk
build.py   a source and its headers -> a cubin for one GPU type    launching.py  loads and launches through CuPy
products.py   matrix products, by cuBLAS                           lt.py         cublasLt's, with bias and ReLU
modes.py   the types of a product, by number                       graph.py      the captured step, a CUDA graph
overrides.py  registers the kernels, with activations, arithmetic, dense, gather, losses, norms, storage and updates;
               arguments, columns and tails serve them
__main__.py   lists registers, shared memory, spills

grid.cuh walks arrays, elementwise.cuh maps them, team.cuh reduces rows, columns.cuh columns; tail.cuh and update.cuh
are what follows an operation, and the launch of the optimizers.

Nothing here imports CuPy until a CuPy array arrives; nvrtc, cache and build work without a GPU.
"""
