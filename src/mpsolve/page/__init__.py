"""The comparison of runs as one HTML page that needs nothing beside it: text, bars, pictures and projections."""
