"""The worked example: will this flight arrive fifteen minutes late or more?"""
