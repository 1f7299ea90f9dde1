"""Types that every package uses: errors, secret values, source positions, hosts. Imports no other package."""
