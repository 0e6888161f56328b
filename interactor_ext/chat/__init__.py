"""Chats, `user.chat(...)`: sends a message to a room and follows the reply, including tool calls."""
