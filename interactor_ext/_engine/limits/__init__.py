"""Client-side rate limits: buckets, in this process or in Redis, and the queue in front of them."""
