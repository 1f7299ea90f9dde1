"""Repositories, values, hosts and programs that want to do harm; each test proves that it would find a hole."""
