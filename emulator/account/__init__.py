"""The rows of an account: their fields, their tables, what changes with what, and the reports computed from them.

It knows neither HTTP nor the made-up agency, and imports no other room.
"""
