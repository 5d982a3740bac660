"""One module an operation: it decides by the domain and acts by the store and the views."""
