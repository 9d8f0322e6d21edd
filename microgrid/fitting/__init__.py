"""How `fit` does it: plain rows and targets, what is tried out first, and the steps in Python."""
