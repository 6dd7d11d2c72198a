"""What every floor stands on: the error base, the command base, canonical bytes, files and paths."""
