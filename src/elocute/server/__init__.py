"""`elocute serve`: reports by HTTP, and the page; needs the extra 'serve', and loads it only where a server is made."""
