"""The command `personas smoke`: what a deployment has to do, asked of one that is there, in a group of its own."""
