"""`make invoke`: one function in a container, against the local stack that `make local` keeps up."""
