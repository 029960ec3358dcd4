"""The vocabulary every room speaks: money, usage, outcomes, refusals, tenants, time and ids. Standard library only."""
