"""Where serving meets the outside: runtimes, loading, limits, the log's buffer."""
