"""A lexer, parser and interpreter for the subset of Ruby's ERB templates that deploy files contain.

Nothing is evaluated by Python: a template reaches the tables of `methods` and `builtins`, what its caller adds in
`Extensions`, and the machine through a `System`. `template.render` is the entry point.
"""
