"""The foundation of a `Value`: the table of primitives, operators, walks over the graph, modes."""
