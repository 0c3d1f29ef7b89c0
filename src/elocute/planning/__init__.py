"""How many machines, how long and how much: answers from rates that were measured."""
