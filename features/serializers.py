"""What the data and features API takes."""
