"""Mutation run: changes one thing of the code at a time, and tells which changes no test notices."""
