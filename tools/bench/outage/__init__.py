"""One of several providers starts to answer 500: what still reaches it, what is lost, and how soon people know."""
