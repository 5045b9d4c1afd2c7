"""The process and composition root: the only package that reads files, the environment and the clock."""
