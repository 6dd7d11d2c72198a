"""Files, streams and libraries the jobs reach."""
