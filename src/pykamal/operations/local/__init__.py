"""The operator's machine: its files, its Git repository, its Docker, its terminal."""
