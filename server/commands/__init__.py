"""The commands of `crmgraph`, one a file: `run(arguments)` does the work and returns the exit status."""
