"""`user.chat(...)`: a message, and the answer to it."""
