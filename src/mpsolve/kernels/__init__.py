"""How a point function becomes a compiled loop: element access, number codecs, sums, generated sources."""
