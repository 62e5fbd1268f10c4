"""The tree that algorithms compute on, and the functions that they are.

`RobotModel` -> `tree` (fixed joints merged) -> `frames` (sparse constants) -> `motion` (expressions
of joints); `function` has the classes that functions of links and robots derive from.
"""
