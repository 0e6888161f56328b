"""Chats, `user.chat(...)`: sends a message to a room and follows the answer, calls of tools included."""
