"""``python -m poolsift``."""

from poolsift.cli import main

if __name__ == "__main__":
    main()
