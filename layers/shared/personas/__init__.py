"""The personas service: what its functions, its tools and its tests share.

Nothing is imported here, so that a function pays at its cold start only for the modules that it names itself.
"""
