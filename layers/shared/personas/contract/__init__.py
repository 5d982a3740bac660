"""The wire contract: what each operation takes and gives, as models, and the registry of operations.

Import the module of the operation that is needed; ``registry`` loads all of them and is meant for documents and tests.
"""
