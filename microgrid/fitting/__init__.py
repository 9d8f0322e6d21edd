"""How `fit` does it: plain rows and targets, a trial before the first step, the steps in Python."""
