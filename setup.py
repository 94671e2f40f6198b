"""All the packaging logic: maps the top-level folders into the package and builds the optional CPU kernels."""

from setuptools import find_packages, setup

MAPPED = {"backends": "twingrad.backends", "kernels": "twingrad.kernels", "benchmarks": "twingrad.benchmarks"}


def packages():
    """The packages under src/, and each mapped folder with its sub-packages."""
    found = find_packages("src")
    for folder, package in MAPPED.items():
        found += [package] + [f"{package}.{name}" for name in find_packages(folder)]
    return found


setup(
    name="twingrad",
    version="0.1.0",
    description="One code, two devices: a deep-learning framework on the array API standard with fused kernels for NumPy and CuPy.",
    python_requires=">=3.11",
    package_dir={"": "src", **{package: folder for folder, package in MAPPED.items()}},
    packages=packages(),
    include_package_data=True,
    install_requires=["numpy>=2.0", "array-api-compat>=1.11", "safetensors>=0.5", "rich>=13"],
    extras_require={
        "cuda12": ["cupy-cuda12x[ctk]>=14"],
        "cuda13": ["cupy-cuda13x[ctk]>=14"],
        "plot": ["matplotlib>=3.8"],
        "test": ["pytest>=8", "pytest-benchmark>=5", "hypothesis>=6.100", "array-api-strict>=2.3"],
        "bench": ["pytest>=8", "pytest-benchmark>=5"],
        "oracle": ["torch==2.13.0", "jax", "optax", "scikit-learn", "nvidia-cuda-nvrtc"],
    },
    entry_points={"console_scripts": ["twingrad = twingrad.cli:main"]},
)
