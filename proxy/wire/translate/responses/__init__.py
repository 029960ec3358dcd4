"""OpenAI's responses in translation: requests read, answers written."""
