"""Cards, and what stands in for one."""
