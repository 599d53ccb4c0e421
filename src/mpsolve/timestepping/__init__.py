"""The schemes behind the steppers: theta method, Runge-Kutta in low precision, fused explicit sweeps."""
