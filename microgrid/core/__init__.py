"""What a `Value` stands on: primitives and their table, operators, walks over the graph, modes."""
