"""Anthropic's messages in translation: requests read and written, answers read and written."""
