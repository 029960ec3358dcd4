"""One module per kind of thing: what the admin port does with it."""
