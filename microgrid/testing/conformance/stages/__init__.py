"""The stages of writing an engine: a half-written class is told what holds, and what is next."""
