"""The OpenAI dialect: requests read and edited in place, streams and answers read on a tee, errors written."""
