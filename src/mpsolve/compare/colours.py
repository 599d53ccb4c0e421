"""Colours of the pictures, distinguishable with a colour vision deficiency and in print."""

# Okabe and Ito, "Color Universal Design" (2008), without the yellow that is pale on white.
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")

# Perceptually uniform; the second for values on both sides of 0, which it shows white.
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
