"""The names of the roles: groups of accounts, and a claim of tokens."""

ADMIN, PROMOTER, APPROVER, USER, READONLY = ROLES = ("admin", "promoter", "approver", "user", "readonly")
READERS = ROLES
