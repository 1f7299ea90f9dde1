"""What every room stands on: errors, secret values, source positions, durations. Imports nothing of ours."""
