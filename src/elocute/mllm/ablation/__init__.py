"""What it is worth how a model is adapted: ranks of adapters by entropy and otherwise, tried beside one another."""
