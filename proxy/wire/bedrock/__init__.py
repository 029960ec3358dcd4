"""AWS Bedrock's own dialect: Converse and InvokeModel, whole and as event streams, with the model in the path."""
