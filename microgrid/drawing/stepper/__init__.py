"""Backpropagation to step through: its steps, and the page that shows them."""
