"""What touches one package of other people's each: in its words, by its rules."""
