"""Random programs, drawn from the table of where each primitive is defined."""
