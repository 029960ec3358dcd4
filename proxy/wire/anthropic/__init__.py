"""The Anthropic dialect: messages, their streams, answers and errors."""
