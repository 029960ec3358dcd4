"""Google's generateContent in translation: requests written, answers read."""
