"""What a user's own program calls: a refined solve of its operator, and a grid with halos."""
