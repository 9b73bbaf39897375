"""Builds the native core: Cython modules of src/poolsift/_native over the C++20 sources in native/."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
DEBUG = os.environ.get("POOLSIFT_DEBUG") == "1"
SANITIZE = os.environ.get("POOLSIFT_SANITIZE", "")
HEADERS = sorted(str(path.relative_to(HERE)) for path in (HERE / "native/include").rglob("*.hpp"))
BODIES = sorted(str(path.relative_to(HERE)) for path in (HERE / "native/src").glob("*.cpp"))

# Hardening as the OpenSSF compiler guide lists it; it costs the kernel about 4 % (docs/performance.md).
HARDENED = [
    "-D_GLIBCXX_ASSERTIONS",
    "-fstack-protector-strong",
    "-fstack-clash-protection",
    "-Wformat=2",
]
HARDENED_LINK = ["-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]


def compile_flags() -> list[str]:
    """Portable flags: no -march; functions that need more choose their instructions when the module starts."""
    flags = ["-std=c++20", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", *HARDENED]
    if os.uname().machine == "x86_64":
        flags.append("-fcf-protection")
    if SANITIZE:
        return [*flags, "-O1", "-g", f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"]
    if DEBUG:
        return [*flags, "-O0", "-g"]
    return [*flags, "-O3", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"]


def link_flags() -> list[str]:
    """Full relro and no executable stack; symbols of the module stay private."""
    return [*HARDENED_LINK, *([f"-fsanitize={SANITIZE}"] if SANITIZE else ["-Wl,-s", "-Wl,--gc-sections"])]


def extension(path: Path) -> Extension:
    """One extension a .pyx; the C++ bodies are added as objects by ParallelBuild."""
    return Extension(
        f"poolsift._native.{path.stem}",
        [f"src/poolsift/_native/{path.stem}.pyx"],
        include_dirs=["native/include"],
        depends=[*HEADERS, *BODIES],
        language="c++",
        extra_compile_args=compile_flags(),
        extra_link_args=link_flags(),
        define_macros=[] if DEBUG else [("CYTHON_CLINE_IN_TRACEBACK", "0")],
    )


class ParallelBuild(build_ext):
    """Compiles the C++ bodies once, a file a core, and links them into every extension (the linker drops what one does not use)."""

    def initialize_options(self) -> None:
        """As setuptools, with one job a core unless the caller says."""
        super().initialize_options()
        self.parallel = os.cpu_count()

    def build_extensions(self) -> None:
        """Bodies first: two extensions must never write one object file at the same time."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = [name for names in pool.map(self.compile_body, BODIES) for name in names]
        for one in self.extensions:
            one.extra_objects = [*one.extra_objects, *objects]
        super().build_extensions()

    def compile_body(self, source: str) -> list[str]:
        """The object of one C++ file."""
        return self.compiler.compile(
            [source], output_dir=self.build_temp, include_dirs=["native/include"], extra_postargs=compile_flags()
        )


def main() -> None:
    """Cythonize and hand over to setuptools."""
    modules = [extension(path) for path in sorted((HERE / "src/poolsift/_native").glob("*.pyx"))]
    directives = {"language_level": "3", "freethreading_compatible": True, "embedsignature": False}
    if DEBUG:
        directives |= {"linetrace": True, "boundscheck": True}
    extensions = cythonize(
        modules,
        compiler_directives=directives,
        nthreads=os.cpu_count() or 1,
        annotate=DEBUG,
        include_path=["src"],
    )
    setup(ext_modules=extensions, cmdclass={"build_ext": ParallelBuild})


if __name__ == "__main__":
    main()
