"""Other people's packages, as they are: what the extra `interop` brings."""
