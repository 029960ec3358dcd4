"""A call and the caches: what it is known by, what is never kept, and answers given from memory."""
