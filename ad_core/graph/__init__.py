"""The graph: nodes, the functions in them, values, walks, and the wording of errors."""

from ad_core.graph.errors import unknown_name, unknown_size, wrong_count, wrong_size
from ad_core.graph.layout import MatrixLayout
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADFunctionInterface,
    ADTerminal,
    Constant,
    Expression,
    ExpressionLike,
    Index,
    Size,
    Variable,
    as_expression,
    as_expressions,
    constant,
    name_of,
    names_of,
    var,
)
from ad_core.graph.values import Array, as_batch, as_value, whole_number
from ad_core.graph.walks import rebuild, substitute, terminals, topological

__all__ = [
    "ADFunctionCall",
    "ADFunctionInterface",
    "ADTerminal",
    "Array",
    "Constant",
    "Expression",
    "ExpressionLike",
    "Index",
    "MatrixLayout",
    "Size",
    "Variable",
    "as_batch",
    "as_expression",
    "as_expressions",
    "as_value",
    "constant",
    "name_of",
    "names_of",
    "rebuild",
    "substitute",
    "terminals",
    "topological",
    "unknown_name",
    "unknown_size",
    "var",
    "whole_number",
    "wrong_count",
    "wrong_size",
]
