"""Put finished runs side by side; reads records only and never starts MPI."""
