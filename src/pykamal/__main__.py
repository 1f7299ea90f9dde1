"""`python -m pykamal` is `kamal`."""

from pykamal.cli.entry import main

if __name__ == "__main__":
    main()
