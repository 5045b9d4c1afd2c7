"""The graph's types, one a file. They show the normalized records themselves: nothing is copied on the way out."""
