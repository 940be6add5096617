"""One reader a corpus, each giving the same kind of clip."""
