"""Files, Delta tables and the computing engine."""
