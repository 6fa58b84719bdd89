"""`python -m scumble.cli`: how the studio starts commands."""

from scumble.cli import main

if __name__ == "__main__":
    main()
