"""Images, sound and moderations in the OpenAI dialect: requests in JSON or forms, answers of any kind."""
