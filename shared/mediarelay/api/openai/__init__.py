"""The routes in OpenAI's shape, by which its official SDKs buy speech, pictures and clips here."""
