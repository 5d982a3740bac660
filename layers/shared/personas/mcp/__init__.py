"""The persona library as a server of the Model Context Protocol."""
