"""The search for leaked secrets: in files, in the history of the repository, and in images."""
