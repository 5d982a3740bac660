"""Tools around the service: the local stack, the demo, and the command line `personas`."""
