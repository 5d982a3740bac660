"""The views: data derived from the table and kept true by the change feed."""
