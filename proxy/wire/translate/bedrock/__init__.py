"""AWS Bedrock's Converse in translation: requests written, answers read."""
