"""What keeps a mistake, a signal or another thread from doing harm; it knows nothing of graphs."""
