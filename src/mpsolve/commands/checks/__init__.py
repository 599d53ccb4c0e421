"""What `mpsolve doctor` looks at: each file returns findings on one part of the machine."""
