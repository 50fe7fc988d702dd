"""The made-up agency: two years of clients, projects, time, expenses and bills, and the working days after them.

The same size and seed give the same rows. It imports `account/` only.
"""
