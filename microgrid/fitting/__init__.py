"""How `fit` does it: the rows and targets that users have, made lists of plain numbers."""
