"""What operators set for the whole deployment over HTTP; imported when that is first asked for."""
