"""Flows: facts are read, a plan is made from configuration and facts, one executor carries it out."""
