"""Completion of command lines in bash, zsh and fish: small scripts that ask this program at each press of TAB.

`kamal __complete SHELL WORD...` is what they ask; the last word is the one under the cursor, perhaps empty. Bash hands
over its line up to the cursor and the part of it that it will replace. The answer holds no error, is over in a quarter
of a second, connects to nothing and runs no program but `git log`.
"""
