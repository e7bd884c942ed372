"""Reading and writing videos, and which frames and squares of them make a clip."""
