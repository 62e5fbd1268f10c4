"""What the documentation site needs beside Sphinx: docstrings, reference pages, gallery, plots."""
