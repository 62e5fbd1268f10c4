"""One file for each library that is timed beside ours, in the configuration that suits it best.

A library is imported when its contender is prepared, so that the rows can be listed without it.
"""
