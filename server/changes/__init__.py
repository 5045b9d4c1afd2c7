"""Watching the Crms for changes: hints lead to readings, readings to a durable log, the log to whoever follows it."""
