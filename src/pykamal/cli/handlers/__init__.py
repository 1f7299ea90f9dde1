"""The commands that do more than run a flow of `operations`: each row of the table names its function, which gets the
`Invocation` and returns the exit code.
"""
