"""Pure builders of shell commands: configuration in, `Command` out. Every line that reaches a shell is built here."""
