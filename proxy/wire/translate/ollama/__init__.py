"""Ollama's side of translation: its own chats (`/api/chat`)."""
