"""What a base is measured by. Each module takes a loaded base and gives plain figures."""
