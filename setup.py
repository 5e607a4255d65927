"""The compiled core and its build switches; everything else about the package is in pyproject.toml.

GATEWAY_NO_EXTENSIONS=1  build no extension (it must then be set at run time too)
GATEWAY_CYTHON_TRACE=1   let coverage see the lines of the .pyx
GATEWAY_SANITIZE=LIST    compile with sanitizers, for example address,undefined
"""

import os
import sys

from setuptools import Extension, setup

WITHOUT_EXTENSIONS = os.environ.get("GATEWAY_NO_EXTENSIONS") == "1" or sys.implementation.name != "cpython"
TRACE = os.environ.get("GATEWAY_CYTHON_TRACE") == "1"
SANITIZE = os.environ.get("GATEWAY_SANITIZE")


def extensions() -> list[Extension]:
    """The modules of the core, as the switches want them."""
    if WITHOUT_EXTENSIONS:
        return []
    # Only a build with extensions needs Cython.
    from Cython.Build import cythonize

    sanitizers = [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"] if SANITIZE else []
    core = [
        Extension(
            f"gateway.{name}",
            [f"gateway/{name}.pyx"],
            extra_compile_args=["-O3", "-Wall", *sanitizers],
            extra_link_args=sanitizers,
            define_macros=[("CYTHON_TRACE", "1")] if TRACE else [],
        )
        for name in ("_fastpath", "_matching", "_scan")
    ]
    return cythonize(
        core,
        # The generated C stays out of the package, so that no archive ships it in place of the source.
        build_dir="build",
        compiler_directives={
            "language_level": 3,
            "embedsignature": True,
            "boundscheck": False,
            "wraparound": False,
            "linetrace": TRACE,
            "warn.unused": True,
        },
    )


setup(ext_modules=extensions())
