"""Pure builders: configuration in, `Command` out. Every line that ever reaches a shell is made in this room."""
