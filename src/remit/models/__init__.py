"""What is true of every provider: attempts, prices, and the public handle on a model."""
