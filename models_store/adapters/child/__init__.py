"""Code that runs only in the child process `sandbox` starts, with its libraries imported before anything is opened.

One module for each thing it is asked: `smoke`, `pickles`, `skops_files`. They know no settings, no database and no
secret.
"""
