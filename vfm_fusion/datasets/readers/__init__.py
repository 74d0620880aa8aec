"""One module per data set: its classes, its official layout, and how its labels are decoded."""
