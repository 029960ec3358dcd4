"""Cohere's side of translation: its chats (`/v2/chat`)."""
