"""The native core: Cython modules that translate, own and release the GIL; what they do is in native/."""
