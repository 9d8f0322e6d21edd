"""The stages of writing an engine: what holds for a half-written class, and what comes next."""
