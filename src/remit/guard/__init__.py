"""What the gate consults and lends: the handles that carry an effect's authority."""
