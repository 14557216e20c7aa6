"""One job of speech or pictures, from its claim to its end."""
