"""The Gemini dialect: Google's generateContent API, as AI Studio and Vertex AI serve it."""
