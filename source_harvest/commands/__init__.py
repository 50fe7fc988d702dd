"""What a platform does and a user of the command line has to do: make the catalog, keep the state and the config.

These commands print nothing but JSON on standard output; logs and errors go to standard error.
"""

PROTOCOL = {
    "spec": "print what can be set, as a JSON schema",
    "check": "find out whether the account can be read",
    "discover": "list the streams",
    "read": "read streams, as records and states",
}
"""The commands of the Airbyte protocol, whose arguments the CDK parses."""
