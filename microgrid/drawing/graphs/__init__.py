"""Pictures of a graph: what is drawn of it, how each piece looks, and the DOT text."""
