"""One module for each claim, with a `CLAIM`; its name is the claim's."""
